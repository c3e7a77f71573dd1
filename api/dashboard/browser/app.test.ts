// What is done with an app that runs: watched live, broken and rolled back, configured, scaled, looked at by those who may
// only look, and destroyed.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { BROKEN, slowly, TALKING } from "./apps";
import { closeBrowser, DESK, PHONE, SOON_MS, Visitor } from "./browser";
import { Person, type Repository, unique, visit } from "./instance";

const organization = unique("org");
const slug = unique("app");
let owner: Person;
let repository: Repository;

beforeAll(() => {
  owner = Person.member(organization, "owner");
  repository = owner.deploy(slug, TALKING);
});

afterAll(async () => {
  await closeBrowser();
  owner.destroy(slug);
  owner.remove();
});

/** What copies, downloads, filters, shows more or leads elsewhere, by role and name. */
const LOOKS = [
  /^button "(Copy .+|Download these lines|Older lines|Show more|Look closer|Look at more|Earlier|Later)"/,
  /^searchbox "(Search apps|Only lines with this text)"/,
  /^combobox "(Status|Source|Process|Level|Time|Month|Added up by)"/,
  /^switch "(Expression|Times)"/,
  /^radio "(1 hour|6 hours|24 hours|7 days|Now|Past)"/,
  // One of their own, in which they are an owner.
  /^button "New organisation"/,
];

/** What can be used on a screen, by role and name, except for what only looks. */
async function usable(page: Page): Promise<string[]> {
  const all = (await page.locator("#content").ariaSnapshot())
    .split("\n")
    .map((line) => line.trim().replace(/^- '?/, ""));
  return all.filter(
    (line) =>
      /^(button|checkbox|combobox|menuitem|radio|searchbox|slider|spinbutton|switch|tab|textbox)\b/.test(line) &&
      !line.includes("[disabled]") &&
      !LOOKS.some((looks) => looks.test(line)),
  );
}

/** Commits these files over those that are there. */
function commit(files: Record<string, string>, message: string) {
  for (const [name, content] of Object.entries(files)) repository.write(name, content);
  repository.commit(message);
}

test("a push is watched live, from its beginning to its end", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/deployments`);
  await page.getByRole("link", { name: "First" }).waitFor();
  repository.write("index.txt", "second");
  repository.write("<b>turned \u202egnirts", "<img src=x onerror=\"document.title='owned'\">\n");
  repository.commit("Second \u202Eesrever");
  const pushed = repository.pushInBackground(slug);
  // It comes by itself, and so does its log.
  await page.getByRole("link", { name: "Second esrever", exact: true }).click();
  await page.locator(".stages [data-state]").first().waitFor();
  await page.getByText("-----> Launching v2").waitFor({ timeout: 4 * SOON_MS });
  await page.locator('[data-connection="ended"]').waitFor({ timeout: 2 * SOON_MS });
  await page.locator('[data-status="running"]', { hasText: "live" }).waitFor();
  expect(await pushed).toBe(0);

  await page.locator("summary", { hasText: "What changed" }).click();
  await page.getByRole("list", { name: "Commits" }).getByText("Second ⟨U+202E⟩esrever").waitFor();
  await page.getByText("2 files, +2 −0").waitFor();
  await page.locator('.diff-line[data-kind="added"]', { hasText: "+second" }).waitFor();
  // All of it is text: what it would do to the page, or to a reader's eyes, is shown.
  await page.locator('.diff-line[data-kind="added"]', { hasText: "+<img src=x onerror=" }).waitFor();
  await page.getByText("<b>turned ⟨U+202E⟩gnirts").waitFor();
  await page.locator("summary", { hasText: "index.txt" }).click();
  await page.locator(".diff-line", { hasText: "+second" }).waitFor({ state: "detached" });
  await page.locator("summary", { hasText: "index.txt" }).click();
  await page.locator(".diff-line", { hasText: "+second" }).waitFor();
  expect(await page.title()).not.toContain("owned");
  await visitor.examine("deployment-changes");
  await visitor.leave();
});

test("the list of apps tells what an app costs, and by itself how many requests it gets", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto("/apps", "Apps");
  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: slug }) });
  await row.getByText("$0.0069").waitFor();
  for (let asked = 0; asked < 12; asked += 1) expect((await visit(slug)).status).toBe(200);
  // Measured every ten seconds, and read as often.
  const counted = row.getByText(/^[\d.]+\/min$/);
  const perMinute = async () => Number.parseFloat((await counted.textContent()) ?? "");
  await expect.poll(perMinute, { timeout: 4 * SOON_MS }).toBeGreaterThan(2.2);
  await visitor.examine("apps-with-requests");
  await page.setViewportSize(PHONE);
  await counted.waitFor({ state: "hidden" });
  await page.setViewportSize(DESK);
  await visitor.leave();
});

test("a failing build is told of with its reason, and mended by the next push while somebody looks", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  commit(BROKEN, "Break it");
  expect(repository.push(slug).status).not.toBe(0);
  await visitor.goto(`/apps/${slug}/deployments`);
  await page.getByRole("link", { name: "Break it" }).waitFor();
  await visitor.examine("deployments");
  await page.getByRole("link", { name: "Break it" }).click();
  await page.getByText("the colour is missing").first().waitFor();
  await page.getByText("It failed, and what ran before goes on").waitFor();
  await page.locator('.stages [data-state="failed"]').waitFor();
  await page.locator(".stages").getByText("not reached").first().waitFor();
  await visitor.examine("deployment-that-failed");
  await page.getByRole("link", { name: "All deployments" }).click();
  commit(TALKING, "Mend it");
  const pushed = repository.pushInBackground(slug);
  const mended = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: "Mend it" }) });
  await mended.locator('[data-status="running"]', { hasText: "live" }).waitFor({ timeout: 4 * SOON_MS });
  expect(await pushed).toBe(0);
  expect((await visit(slug)).status).toBe(200);
  await visitor.leave();
});

test("a build is cancelled, begun again from the same source, and thought better of", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  commit(slowly(120), "Take long");
  const pushed = repository.pushInBackground(slug);
  await visitor.goto(`/apps/${slug}/deployments`);
  await page.getByRole("link", { name: "Take long" }).click();
  const cancel = async () => {
    await page
      .locator(".log-line")
      .getByText("mixing the colour", { exact: true })
      .waitFor({ timeout: 2 * SOON_MS });
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("It was cancelled, and what ran before goes on").waitFor();
    await page.locator('[data-status="cancelled"]').first().waitFor();
  };
  await cancel();
  expect(await pushed).not.toBe(0);
  const first = page.url();
  await page.getByRole("button", { name: "Deploy again" }).click();
  await page.waitForURL((url) => url.href !== first);
  await cancel();
  await page.getByRole("button", { name: "Deploy again" }).waitFor();
  await visitor.leave();
});

test("a release is rolled back to from the list of apps in two clicks", async () => {
  commit(TALKING, "Regret it");
  expect(repository.push(slug).status).toBe(0);
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto("/apps", "Apps");
  await page.getByRole("link", { name: slug }).click();
  // Nothing is lost by it, so that nobody is asked.
  const back = page.getByRole("button", { name: /^Roll back to v\d+$/ });
  const release = /v\d+$/.exec((await back.textContent()) ?? "")?.[0];
  await back.click();
  await page.getByRole("heading", { name: `Rollback to ${release}` }).waitFor();
  await page.locator('[data-status="running"]', { hasText: "live" }).waitFor({ timeout: 4 * SOON_MS });
  await page.getByRole("link", { name: "All deployments" }).click();
  await page.getByText("without a build").first().waitFor();
  await visitor.leave();
});

test("several config vars are one rollout, and no value is shown again", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/environment`);
  await page.getByText("No config var yet.").waitFor();
  const form = page.getByRole("form", { name: "Add a config var" });
  for (const [name, value] of [
    ["GREETING", "hello"],
    ["SECRET", "a-secret-value"],
  ] as const) {
    await form.getByLabel("Name").fill(name);
    await form.getByLabel("Value", { exact: true }).fill(value);
    await form.getByRole("button", { name: "Add" }).click();
  }
  await page.getByText("2 changes not saved.").waitFor();
  await page.getByText("Adds GREETING, SECRET").waitFor();
  await visitor.examine("environment");
  // Whoever goes without saving would lose them, and is asked.
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByRole("dialog", { name: "Go without saving?" }).getByText("2 changes on this page").waitFor();
  await visitor.examine("environment-unsaved", { phone: false });
  await page.getByRole("button", { name: "Stay" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("The app is being rolled out with it.").waitFor();
  await page.getByRole("button", { name: "Change GREETING" }).waitFor();
  expect(await page.content()).not.toContain("a-secret-value");

  await page.getByRole("button", { name: "Paste a .env file" }).click();
  await page.getByLabel("Lines of NAME=value").fill("ONE=1\nTWO=2\nSECRET=another\n# a comment\n");
  await page.getByText("Adds ONE, TWO").waitFor();
  await page.getByText("Changes SECRET").waitFor();
  await visitor.examine("environment-paste", { phone: false });
  await page.getByRole("button", { name: "Set them" }).click();
  await page.getByText("TWO", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Remove SECRET" }).click();
  await page.getByText("will be removed").waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  const vars = page.getByRole("list", { name: "Config vars" });
  await vars.getByText("SECRET", { exact: true }).waitFor({ state: "detached" });
  await visitor.leave();
});

test("the cost is shown before an app is scaled, and what runs follows", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/scale`);
  await page.getByRole("combobox", { name: "Plan" }).selectOption({ index: 1 });
  await page.locator("[data-cost]").waitFor();
  await page.getByRole("button", { name: "Change the plan" }).click();
  await page.getByText("up to 3 of each").waitFor();
  const slider = page.getByRole("slider", { name: "Replicas of web" });
  await slider.focus();
  await page.keyboard.press("ArrowRight");
  await page.locator("[data-cost]", { hasText: "$0.0694 an hour" }).waitFor();
  await visitor.examine("scale");
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByRole("dialog", { name: "Go without saving?" }).getByText("1 change on").waitFor();
  await page.getByRole("button", { name: "Stay" }).click();
  await page.getByRole("button", { name: "Scale", exact: true }).click();
  await page.getByText("The app is being scaled.").waitFor();
  await visitor.goto(`/apps/${slug}`);
  await page.getByText("web.2").waitFor({ timeout: 4 * SOON_MS });
  await visitor.leave();
});

test("a shell runs in the browser, in colours and to its exit status, and only for those who may", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/console`);
  await visitor.examine("console");
  let sockets = 0;
  page.on("websocket", (socket) => {
    if (socket.url().includes("/console")) sockets += 1;
  });
  // What is ended before it began does not begin.
  let go = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const asked = `**/api/paas/apps/${slug}`;
  await page.route(asked, async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("button", { name: "End it" }).click();
  await page.getByText("You ended it.").waitFor();
  const answered = page.waitForResponse(asked);
  go();
  await answered;
  await page.unroute(asked);
  await page.getByRole("button", { name: "Run" }).click();
  const terminal = page.getByRole("region", { name: `Terminal of ${slug}` });
  const screen = terminal.locator(".xterm-rows");
  await screen
    .getByText("$", { exact: false })
    .first()
    .waitFor({ timeout: 4 * SOON_MS });
  const type = async (line: string) => {
    await page.keyboard.type(line);
    await page.keyboard.press("Enter");
  };
  await type("echo sum-$((20 + 22)); tput setaf 1; echo in red; tput sgr0");
  await screen.getByText("sum-42").waitFor();
  await screen.locator("span[class*=xterm-fg-1]", { hasText: "in red" }).waitFor();
  await type("printf '\\033[38;2;10;200;30mtrue colours\\033[0m\\n'");
  await screen.getByText("true colours", { exact: true }).waitFor();
  // Elsewhere it opens the palette; here the shell cuts the line off.
  await page.keyboard.type("not to be run");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+k");
  await type("echo cut-off-$((1 + 1))");
  await screen.getByText("cut-off-2", { exact: true }).waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  await type("stty size");
  await screen.getByText(/^\d+ \d+$/).waitFor();
  await visitor.examine("console-open");
  // Tab is the process's, unless Escape went before it; Enter in the field leaves what runs alone.
  await page.keyboard.press("Tab");
  expect(await terminal.locator(":focus").count()).toBe(1);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Shift+Tab");
  await page.getByRole("button", { name: "End it" }).and(page.locator(":focus")).waitFor();
  await page.getByLabel("Command").press("Enter");
  await terminal.locator("textarea").focus();
  // The shell got that Escape, and waits for what belongs to it.
  await page.keyboard.press("Control+c");
  // What is typed before it asks again may be cut off with that.
  await screen.locator("div:has-text('^C') + div", { hasText: "$" }).waitFor();
  await type("exit 3");
  await page.getByText("It ended with the status 3.").waitFor();
  expect(sockets).toBe(1);
  await page.keyboard.press("Shift+Tab");
  await page.getByRole("button", { name: "Run" }).and(page.locator(":focus")).waitFor();
  await page.getByLabel("Command").fill("echo one-off");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByText("It ended with the status 0.").waitFor({ timeout: 4 * SOON_MS });
  await screen.getByText("one-off", { exact: true }).waitFor();
  await visitor.leave();
});

test("a domain says which records it needs, and what is wrong with them", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/domains`);
  const domain = `www.${slug}.example.com`;
  await page.getByLabel("Add a domain").fill("*.example.com");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  // Told at the field, where one goes on typing.
  await page.locator("[class*=Input-error]").first().waitFor();
  await page.locator("[name=domain][aria-invalid=true]:focus").waitFor();
  await visitor.examine("domain-refused");
  await page.getByLabel("Add a domain").fill(domain);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("heading", { name: domain }).waitFor();
  await page.getByText(`_paas-verify.${domain}`).waitFor();
  await visitor.examine("domains");
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("No domain of its own yet.").waitFor();
  await visitor.leave();
});

test("a viewer sees everything and changes nothing, and is told who can help", async () => {
  const viewer = Person.member(organization, "viewer");
  onTestFinished(() => viewer.remove());
  const visitor = await Visitor.signedIn(viewer);
  const { page } = visitor;
  await page.getByRole("searchbox").fill("nothing like that");
  await page.getByText("No app fits. Search for something else.").waitFor();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.press("Delete");
  await page.getByRole("link", { name: slug }).click();
  await page.getByText("You are a viewer of this organisation").waitFor();
  await visitor.examine("viewer");
  const domain = `seen.${slug}.example.com`;
  owner.command(`config:set -a ${slug} SEEN=1`);
  owner.command(`domains:add -a ${slug} ${domain}`);
  onTestFinished(() => owner.command(`domains:remove -a ${slug} ${domain}`));
  const changing: string[] = [];
  const ofApp = [
    "",
    "/deployments",
    "/logs",
    "/metrics",
    "/environment",
    "/domains",
    "/scale",
    "/console",
    "/settings",
  ];
  for (const [path, title] of [
    ["/apps", "Apps"],
    ...ofApp.map((page) => [`/apps/${slug}${page}`, slug] as const),
    ["/plans", "Plans"],
    ["/organizations", "Organisation"],
    ["/usage", "Usage and billing"],
    ["/new", "New app"],
  ] as const) {
    await visitor.goto(path, title);
    changing.push(...(await usable(page)).map((one) => `${path}: ${one}`));
  }
  await visitor.goto(`/apps/${slug}/deployments`);
  await page.getByRole("link", { name: "First", exact: true }).click();
  await page.locator('[data-connection="ended"]').waitFor();
  changing.push(...(await usable(page)));
  expect(changing).toEqual([]);
  await visitor.leave();
});

test("a session that ends in mid-work is taken up again over what was typed", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/environment`);
  const form = page.getByRole("form", { name: "Add a config var" });
  await form.getByLabel("Name").fill("KEPT");
  await form.getByLabel("Value", { exact: true }).fill("kept");
  await form.getByRole("button", { name: "Add" }).click();
  // Somebody ended all sessions elsewhere.
  await visitor.endSession();
  await page.getByRole("button", { name: "Save" }).click();
  const dialog = page.getByRole("dialog", { name: "Your session has ended" });
  await dialog.waitFor();
  await visitor.examine("session-ended", { phone: false });
  await dialog.locator("input[name=password]").fill(owner.password);
  await dialog.getByRole("button", { name: "Sign in" }).click();
  await dialog.waitFor({ state: "detached" });
  expect(await page.getByRole("alert").count()).toBe(0);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Change KEPT" }).waitFor();
  await visitor.leave();
});

test("an access token that ran out is renewed without a word", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.context.clearCookies({ name: /skypanel_session$/ });
  // Skypanel may be starting again just then.
  await page.route("**/api/auth/refresh", (route) => route.fulfill({ status: 503 }), { times: 1 });
  const renewed = page.waitForResponse((response) => response.url().endsWith("/api/auth/refresh") && response.ok());
  await visitor.goto(`/apps/${slug}/settings`);
  await renewed;
  await page.getByRole("heading", { name: "Health check" }).waitFor();
  await page.getByRole("button", { name: "Make a webhook" }).click();
  await page.getByText("It is shown only once.").waitFor();
  await page.getByRole("button", { name: "Calls" }).click();
  await page.getByText("It was not called yet.").waitFor();
  await visitor.loaded();
  await visitor.examine("settings");
  const drains = page.getByRole("region", { name: "Log drains" });
  await drains.getByLabel("Address").fill("gopher://logs.example.com");
  await drains.getByRole("button", { name: "Add a drain" }).click();
  await drains.locator("[name=url][aria-invalid=true]:focus").waitFor();
  await drains.getByLabel("Address").fill("syslog+tls://93.184.216.34:6514");
  await drains.getByRole("button", { name: "Add a drain" }).click();
  await drains.getByRole("button", { name: "Remove the drain to syslog+tls://93.184.216.34:6514" }).click();
  await page.getByRole("dialog").getByText("The app's own log stays.").waitFor();
  await visitor.examine("settings-drain", { phone: false });
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await drains.getByText("No drain yet.").waitFor();
  const build = page.getByRole("region", { name: "Build" });
  await build.getByLabel("Buildpack").fill("no such buildpack");
  await build.getByRole("button", { name: "Save" }).click();
  await build.locator("[name=buildpack][aria-invalid=true]:focus").waitFor();
  await build.getByRole("button", { name: "Purge the cache" }).click();
  await page.getByText("The build cache is being thrown away.").waitFor();
  await build.getByLabel("Buildpack").fill("nodejs");
  await build.getByRole("button", { name: "Save" }).click();
  await page.getByText("It takes effect with the next build.").waitFor();
  await visitor.leave();
});

test("a connection that was lost is told of and comes back, with what changed meanwhile", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  owner.command(`config:set -a ${slug} BEFORE=1`);
  await visitor.goto(`/apps/${slug}/environment`);
  await page.getByRole("button", { name: "Change BEFORE" }).waitFor();
  await visitor.context.setOffline(true);
  await page.getByText("Skypanel does not answer at the moment.").waitFor();
  owner.command(`config:set -a ${slug} MEANWHILE=1`);
  await visitor.context.setOffline(false);
  await page.getByText("Skypanel does not answer at the moment.").waitFor({ state: "detached", timeout: 2 * SOON_MS });
  await page.getByRole("button", { name: "Change MEANWHILE" }).waitFor();
  await visitor.leave();
});

test("an app is destroyed by typing its name, and goes from every browser", async () => {
  const doomed = unique("doomed");
  owner.command(`apps:create ${doomed}`);
  const [visitor, other] = [await Visitor.signedIn(owner), await Visitor.signedIn(owner)];
  const { page } = visitor;
  await other.page.getByRole("link", { name: doomed }).waitFor();
  await visitor.goto(`/apps/${doomed}/settings`);
  await page.getByRole("button", { name: `Destroy ${doomed}` }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.getByRole("button", { name: "Destroy it" }).isDisabled()).toBe(true);
  await dialog.getByLabel(`Type ${doomed} to go on`).fill(doomed);
  await visitor.examine("destroy", { phone: false });
  await dialog.getByRole("button", { name: "Destroy it" }).click();
  await page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
  await other.page.getByRole("link", { name: doomed }).waitFor({ state: "detached", timeout: 4 * SOON_MS });
  await visitor.leave();
  await other.leave();
});
