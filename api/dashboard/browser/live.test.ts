// What one browser does another one sees; a Skypanel that stops and comes back; and a list of a thousand apps.
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { manyApps, Person, startSkypanel, stopSkypanel, unique } from "./instance";

const organization = unique("org");
const slug = unique("shared");
let owner: Person;

beforeAll(() => {
  owner = Person.member(organization, "owner");
  owner.registerKey();
  owner.command(`apps:create ${slug}`);
  owner.command(`config:set -a ${slug} KNOWN=1`);
});

afterAll(async () => {
  await closeBrowser();
  owner.destroy(slug);
  owner.remove();
});

test("two browsers see each other's changes, and an app that goes to another organisation", async () => {
  const moved = unique("moved");
  owner.command(`apps:create ${moved}`);
  onTestFinished(() => owner.destroy(moved));
  const colleague = Person.member(organization, "developer");
  onTestFinished(() => colleague.remove());
  const [visitor, other] = [await Visitor.signedIn(owner), await Visitor.signedIn(colleague)];
  await visitor.goto(`/apps/${moved}/environment`);
  await other.goto(`/apps/${moved}/environment`);
  const add = async ({ page }: Visitor, name: string) => {
    const form = page.getByRole("form", { name: "Add a config var" });
    await form.getByLabel("Name").fill(name);
    await form.getByLabel("Value", { exact: true }).fill("1");
    await form.getByRole("button", { name: "Add" }).click();
    await page.getByRole("button", { name: "Save" }).click();
  };
  await add(visitor, "OF_OWNER");
  await other.page.getByRole("button", { name: "Change OF_OWNER" }).waitFor();
  await add(other, "OF_COLLEAGUE");
  await visitor.page.getByRole("button", { name: "Change OF_COLLEAGUE" }).waitFor();

  // To an organisation that the owner makes; the colleague is not in it.
  await visitor.goto(`/apps/${moved}/settings`);
  await visitor.page.getByText("you must be an owner of another organisation").waitFor();
  await visitor.goto("/organizations", "Organisation");
  const heir = unique("heir");
  await visitor.page.getByRole("button", { name: "New organisation" }).click();
  await visitor.page.getByRole("dialog").getByLabel("Name").fill(heir);
  await visitor.page.getByRole("dialog").getByRole("button", { name: "Make it" }).click();
  await visitor.page.getByRole("heading", { name: heir }).waitFor();
  // The address says which organisation is shown.
  await visitor.page.reload();
  await visitor.page.getByRole("heading", { name: heir }).waitFor();
  await visitor.goto(`/apps/${moved}/settings`);
  await visitor.page.getByRole("button", { name: "Move it to another organisation" }).click();
  await visitor.page.getByRole("dialog").getByLabel("To", { exact: true }).selectOption(heir);
  await visitor.examine("transfer", { phone: false });
  await visitor.page.getByRole("dialog").getByRole("button", { name: "Move it" }).click();
  await visitor.page.getByText(`It is ${heir}'s.`).waitFor();
  await other.goto("/apps", "Apps");
  await other.page.getByRole("link", { name: moved }).waitFor({ state: "detached" });
  await visitor.leave();
  await other.leave();
});

test("a tab that nobody sees gives its connection back, and shows what it missed once it is seen", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  // Without a window all tabs count as seen.
  const look = (seen: boolean) =>
    page.evaluate((seen) => {
      Object.defineProperty(document, "hidden", { configurable: true, value: !seen });
      Object.defineProperty(document, "visibilityState", { configurable: true, value: seen ? "visible" : "hidden" });
      document.dispatchEvent(new Event("visibilitychange"));
    }, seen);
  await visitor.goto(`/apps/${slug}/environment`);
  await page.getByRole("button", { name: "Change KNOWN" }).waitFor();
  let streams = 0;
  page.on("request", (request) => {
    if (request.url().includes("/events/stream")) streams += 1;
  });
  const given = page.waitForEvent("requestfailed", (request) => request.url().includes("/events/stream"));
  await look(false);
  await given;
  owner.command(`config:set -a ${slug} MISSED=1`);
  expect(streams, "no tab asks for changes that nobody sees").toBe(0);
  expect(await page.getByRole("button", { name: "Change MISSED" }).count()).toBe(0);
  await look(true);
  await page.getByRole("button", { name: "Change MISSED" }).waitFor();
  expect(streams).toBe(1);
  expect(await page.getByText("Skypanel does not answer at the moment.").count()).toBe(0);
  await visitor.leave();
});

test("a Skypanel that stops is told of, and what is on the screen comes alive again with it", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/environment`);
  await page.getByRole("button", { name: "Change KNOWN" }).waitFor();
  try {
    await stopSkypanel();
    await page.getByText("Skypanel does not answer at the moment.").waitFor({ timeout: 2 * SOON_MS });
    await page.getByRole("button", { name: "Change KNOWN" }).waitFor();
    await visitor.examine("skypanel-away");
    // What is asked for now says why it does not work, and nothing typed is lost.
    const form = page.getByRole("form", { name: "Add a config var" });
    await form.getByLabel("Name").fill("LATER");
    await form.getByLabel("Value", { exact: true }).fill("1");
    await form.getByRole("button", { name: "Add" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").first().waitFor();
  } finally {
    startSkypanel();
  }
  await page.getByText("Skypanel does not answer at the moment.").waitFor({ state: "detached", timeout: 4 * SOON_MS });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Change LATER" }).waitFor();
  owner.command(`config:set -a ${slug} BACK=1`);
  await page.getByRole("button", { name: "Change BACK" }).waitFor();
  await visitor.leave();
});

test("two tabs that save settings do not undo each other", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  const late = await visitor.context.newPage();
  // A tab that hears nothing of what others change.
  await late.route("**/api/paas/events/stream", (route) => route.abort());
  const check = (of: typeof page) => of.getByRole("region", { name: "Health check" });
  await late.goto(`/apps/${slug}/settings`);
  await check(late).getByLabel("Path").waitFor();
  await visitor.goto(`/apps/${slug}/settings`);
  await check(page).getByLabel("Path").fill("/levels");
  await check(page).getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").first().waitFor();
  await check(late).getByLabel("Failures in a row").fill("7");
  await check(late).getByRole("button", { name: "Save" }).click();
  await late.getByText("Saved.").first().waitFor();
  await page.reload();
  await expect.poll(() => check(page).getByLabel("Failures in a row").inputValue()).toBe("7");
  expect(await check(page).getByLabel("Path").inputValue()).toBe("/levels");
  await visitor.leave();
});

test("what Skypanel fails to answer is told where it would be, and can be asked for again", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  const broken = /\/api\/paas\/apps\/[^/]+\/(events|processes|deployments)/;
  await page.route(broken, (route) =>
    route.fulfill({ status: 500, json: { error: "It broke.", code: "INTERNAL", request_id: "r1" } }),
  );
  await page.goto(`/apps/${slug}`);
  const happened = page.getByRole("region", { name: "What happened" });
  await happened.getByText("It broke.").waitFor({ timeout: SOON_MS / 3 });
  await happened.getByText("Request r1").waitFor();
  await page.unroute(broken);
  await happened.getByRole("button", { name: "Try again" }).click();
  await happened.getByRole("list").waitFor();
  await visitor.leave();
});

test("of a thousand apps the page holds those in sight, and leads to the last", async () => {
  const organization = unique("org");
  const many = Person.member(organization, "owner");
  onTestFinished(() => many.remove());
  const visitor = await Visitor.signedIn(many);
  const { page } = visitor;
  await page.getByRole("heading", { name: "Add your SSH key" }).waitFor();
  const prefix = unique("app");
  const remove = manyApps(organization, prefix, 1_000);
  onTestFinished(remove);
  // Nobody reloads the page.
  await page.getByText("1000 apps").waitFor();
  await page.getByRole("link", { name: `${prefix}-0000`, exact: true }).waitFor();
  expect(await page.locator("tbody tr").count()).toBeLessThan(120);
  await visitor.examine("apps-thousand");
  await page.keyboard.press("End");
  await page.getByRole("link", { name: `${prefix}-0999`, exact: true }).waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type(`${prefix}-0500`);
  await page.getByText("1 of 1000 apps").waitFor();
  await visitor.leave();
});
