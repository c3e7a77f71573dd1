// What is not an app's: the organisation and its invitations, usage, the account, and the pages of admins.
import { afterAll, expect, onTestFinished, test } from "vitest";
import { BROKEN, TALKING } from "./apps";
import { closeBrowser, DESK, PHONE, Visitor } from "./browser";
import { ADDRESS, Person, unique } from "./instance";
import { totp } from "./totp";

afterAll(closeBrowser);

test("an owner invites somebody, who makes an account by the link and is seen at once", async () => {
  const organization = unique("org");
  const owner = Person.member(organization, "owner");
  onTestFinished(() => owner.remove());
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await page.getByRole("link", { name: "Organisation" }).click();
  await page.getByText("You are an owner.").waitFor();
  const email = `${unique("invited")}@e2e.test`;
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Role", { exact: true }).selectOption("developer");
  await page.getByRole("button", { name: "Invite" }).click();
  const link = (await page.locator(".save-bar code").textContent()) ?? "";
  await visitor.loaded();
  await visitor.examine("organisation");

  const invited = await Visitor.come();
  await invited.page.goto(`${ADDRESS}${new URL(link).pathname}${new URL(link).hash}`);
  await invited.page.getByText(`You would be a developer of ${organization}. The invitation is for ${email}`).waitFor();
  await invited.page.locator("input[name=password]").fill("correct horse battery");
  await invited.examine("invitation");
  // The account is made, whatever comes of signing in with it.
  await invited.page.route("**/api/auth/login", (route) => route.abort());
  await invited.page.getByRole("button", { name: "Make the account" }).click();
  await invited.page.getByText("Your account is made").waitFor();
  await invited.examine("invitation-made");
  await invited.page.unroute("**/api/auth/login");
  await invited.page.getByRole("link", { name: "Sign in" }).click();
  await invited.signIn({ email, password: "correct horse battery" });
  await invited.page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
  await invited.goto("/organizations", "Organisation");
  await invited.page.getByText("You are a developer.").waitFor();
  expect(await invited.page.getByRole("region", { name: "Audit" }).count()).toBe(0);

  // Nobody reloads the owner's page.
  await page.getByRole("combobox", { name: `Role of ${email}` }).waitFor();
  await page.getByText("No invitation is open.").waitFor();
  await page.getByRole("button", { name: `Remove ${email}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByRole("combobox", { name: `Role of ${email}` }).waitFor({ state: "detached" });
  const audit = page.getByRole("region", { name: "Audit" });
  const removal = audit.getByRole("row").filter({ hasText: "member.remove" });
  await removal.getByText(owner.email).waitFor();
  await removal.getByText(email).waitFor();
  await audit.getByRole("row").filter({ hasText: "invitation.create" }).waitFor();
  await audit.getByRole("searchbox").fill("member.");
  await audit.getByRole("row").filter({ hasText: "invitation.create" }).waitFor({ state: "detached" });
  await removal.waitFor();
  await visitor.examine("organisation-audit");

  // Nor does who is in no organisation any more, and makes one of their own.
  await invited.page.getByText("You are in no organisation.").waitFor();
  await invited.examine("organisation-none");
  await invited.goto("/apps", "Apps");
  await invited.page.getByText("no organisation").waitFor();
  await invited.goto("/organizations", "Organisation");
  await invited.page.getByRole("button", { name: "New organisation" }).click();
  const theirs = unique("org");
  await invited.page.getByRole("dialog").getByLabel("Name").fill(theirs);
  await invited.page.getByRole("button", { name: "Make it" }).click();
  await invited.page.getByRole("heading", { name: theirs }).waitFor();
  await invited.page.getByText("You are an owner.").waitFor();
  // The only field for a search is the audit's, at the end of the page: the key leads anywhere instead.
  await invited.page.getByRole("region", { name: "Audit" }).getByRole("searchbox").waitFor();
  await invited.page.keyboard.press("/");
  await invited.page.getByRole("dialog", { name: "Go to" }).waitFor();
  await invited.page.keyboard.press("Escape");
  // Where members make no apps, nobody is led to making one.
  await invited.page.getByRole("switch", { name: "Members may create apps" }).click();
  await invited.page.getByRole("switch", { name: "Members may create apps", checked: false }).waitFor();
  await invited.page.getByRole("link", { name: "Apps" }).click();
  await invited.page.getByText("Members create no apps here").waitFor();
  expect(await invited.page.getByRole("link", { name: "New app" }).count()).toBe(0);
  await invited.goto("/new", "New app");
  await invited.page.getByText("Members create no apps here").waitFor();

  // A link that was used says so, and what to do.
  await invited.page.goto(new URL(link).pathname);
  await invited.page.getByText("The link is not complete").waitFor();
  await invited.page.goto(new URL(link).pathname + new URL(link).hash);
  await invited.page.getByText("Ask for another one.").waitFor();
  await invited.examine("invitation-used");

  // Who has an account signs in where the link leads; somebody else is told whom it is for.
  await page.getByLabel("E-mail address").fill(email);
  await page.getByRole("button", { name: "Invite" }).click();
  const code = page.locator(".save-bar code");
  await expect.poll(() => code.textContent()).not.toBe(link);
  const again = new URL((await code.textContent()) ?? "");
  await page.goto(again.pathname + again.hash);
  await page.getByText(`You are signed in as ${owner.email}.`).waitFor();
  await visitor.examine("invitation-of-another");
  await visitor.leave();
  await invited.context.clearCookies();
  await invited.page.goto("about:blank");
  await invited.page.goto(again.pathname + again.hash);
  await invited.page.getByText("There is an account for that address.").waitFor();
  await invited.examine("invitation-sign-in");
  await invited.page.locator("input[name=password]").fill("correct horse battery");
  await invited.page.getByRole("button", { name: "Sign in" }).click();
  await invited.page.getByRole("button", { name: "Join the organisation" }).waitFor();
  await invited.examine("invitation-join");
  await invited.page.getByRole("button", { name: "Join the organisation" }).click();
  await invited.page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
  await invited.leave();
});

test("usage, account and keyboard work for somebody who has nothing yet", async () => {
  const owner = Person.member(unique("org"), "owner");
  onTestFinished(() => owner.remove());
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto("/usage", "Usage and billing");
  await page.getByText("The wallet has not moved yet.").waitFor();
  await visitor.examine("usage");
  await visitor.goto("/account", "Account");
  await page.getByText("No key yet.").waitFor();
  await page.getByLabel("What it is for").fill("CI");
  await page.getByRole("button", { name: "Make a token" }).click();
  const token = (await page.locator(".save-bar code").textContent()) ?? "";
  expect(token).toMatch(/^skp_/);
  await page.getByRole("button", { name: "Revoke the token CI" }).click();
  await page.getByRole("dialog", { name: 'Revoke the token "CI"?' }).getByRole("button", { name: "Leave it" }).click();
  await page.getByText("this one").waitFor();
  await visitor.examine("account");
  // The way around stays, for who knows an address wrong.
  await visitor.goto("/no/such/page", "There is nothing here");
  await page.getByRole("link", { name: "Usage" }).waitFor();
  await visitor.examine("not-found");
  // The first stop of the keyboard leads past the navigation.
  await visitor.goto("/apps", "Apps");
  await page.keyboard.press("Tab");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  // Two keys lead to a page, and the palette to any.
  await page.keyboard.press("g");
  await page.keyboard.press("u");
  await page.getByRole("heading", { name: "Usage and billing" }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  await page.getByText("In a log: choose the last line in sight").waitFor();
  await visitor.examine("keyboard");
  // Keys that do something by themselves can be switched off, and on again by the menu.
  await page.getByRole("switch", { name: "Keys without Ctrl" }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.getByRole("heading", { name: "Usage and billing" }).waitFor();
  await page.getByRole("button", { name: `Account of ${owner.email}` }).click();
  await page.getByRole("menuitem", { name: "Keyboard" }).click();
  await page.getByText("Only Ctrl K does something now.").waitFor();
  await page.getByRole("switch", { name: "Keys without Ctrl" }).click();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor({ state: "detached" });
  await page.keyboard.press("/");
  await page.getByRole("dialog", { name: "Go to" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog", { name: "Go to" }).waitFor({ state: "detached" });
  await page.getByLabel("Budget of a month in dollars").focus();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Where to" }).fill("new");
  await page.getByRole("option", { name: "New app" }).waitFor();
  await visitor.examine("palette", { phone: false });
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "New app" }).waitFor();
  // A session that could not be ended goes on, and so does the page.
  const signOut = async () => {
    await page.getByRole("button", { name: `Account of ${owner.email}` }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Sign out" }).click();
  };
  await page.route("**/api/auth/logout", (route) => route.abort());
  await signOut();
  await page.getByText("You are still signed in").waitFor();
  await page.getByRole("heading", { name: "New app" }).waitFor();
  await page.unroute("**/api/auth/logout");
  await signOut();
  await page.getByRole("heading", { name: "Sign in to Skypanel" }).waitFor();
  await visitor.leave();
});

test("a viewer without apps is told whom to ask, and is given nothing to do", async () => {
  const organization = unique("org");
  const owner = Person.member(organization, "owner");
  onTestFinished(() => owner.remove());
  const viewer = Person.member(organization, "viewer");
  onTestFinished(() => viewer.remove());
  const visitor = await Visitor.signedIn(viewer);
  await visitor.page.getByRole("heading", { name: "Nothing to look at yet" }).waitFor();
  await visitor.page.getByText(`${organization}: ${owner.email}`).waitFor();
  expect(await visitor.page.getByRole("link", { name: "New app" }).count()).toBe(0);
  await visitor.examine("apps-of-a-viewer");
  await visitor.leave();
});

test("a tab follows who signs out and in in another one", async () => {
  const [one, another] = [Person.member(unique("org"), "owner"), Person.member(unique("org"), "owner")];
  onTestFinished(() => one.remove());
  onTestFinished(() => another.remove());
  const visitor = await Visitor.signedIn(one);
  await visitor.goto("/organizations", "Organisation");
  const page = await visitor.context.newPage();
  await page.goto("/account");
  await page.getByRole("button", { name: `Account of ${one.email}` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByLabel("E-mail address").fill(another.email);
  await visitor.page.getByRole("dialog", { name: "Your session has ended" }).waitFor();
  await page.locator("input[name=password]").fill(another.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: `Account of ${another.email}` }).waitFor();
  // Nobody reloads the tab of the one before.
  await visitor.page.getByRole("button", { name: `Account of ${another.email}` }).waitFor();
  // Whoever is signed in is not asked to do so.
  await visitor.goto("/sign-in?to=%2Fplans", "Plans");
  await visitor.leave();
});

test("a second factor is set up, and asked for at the next sign-in", async () => {
  const owner = Person.member(unique("org"), "owner");
  onTestFinished(() => owner.remove());
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto("/account", "Account");
  const section = page.getByRole("region", { name: "Second factor" });
  await section.locator("input[autocomplete=current-password]").fill(owner.password);
  await section.getByRole("button", { name: "Set it up" }).click();
  const secret = (await section.locator("code").textContent()) ?? "";
  // The same for a phone: as a code for its camera, and for an app on it.
  await section.getByRole("img", { name: /^QR code/ }).waitFor();
  const address = await section.getByRole("link", { name: "Open in an authenticator app" }).getAttribute("href");
  expect(address).toMatch(new RegExp(`^otpauth://totp/.*secret=${secret}`));
  await section.scrollIntoViewIfNeeded();
  await visitor.examine("second-factor");
  await section.getByLabel("First code").fill(totp(secret));
  await section.getByRole("button", { name: "Switch it on" }).click();
  await section.getByText("Keep this list of recovery codes").waitFor();
  const [recovery] = ((await section.locator("code").textContent()) ?? "").split("\n");
  await visitor.leave();

  const again = await Visitor.come();
  await again.page.goto("/");
  await again.signIn(owner);
  await again.page.getByLabel("Code").waitFor();
  await again.examine("sign-in-with-code");
  // A code of the app is good once, and that was a moment ago.
  await again.page.getByLabel("Code").fill(recovery ?? "");
  await again.page.getByRole("button", { name: "Sign in" }).click();
  await again.page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
  await again.leave();
});

test("every page of the admin is there", async () => {
  const admin = Person.admin();
  onTestFinished(() => admin.remove());
  admin.registerKey();
  const organization = unique("org");
  const member = Person.member(organization, "owner");
  onTestFinished(() => member.remove());
  member.registerKey();
  const [slug, broken] = [unique("full"), unique("broken")];
  for (const [app, from] of [
    [slug, TALKING],
    [broken, BROKEN],
  ] as const) {
    const repository = member.repository(from);
    repository.commit("Say hello");
    const { status } = repository.push(app);
    // The member is locked out in the end.
    onTestFinished(() => admin.destroy(app));
    expect(status === 0, app).toBe(app === slug);
  }
  const visitor = await Visitor.signedIn(admin);
  const { page } = visitor;
  await page.getByRole("link", { name: "Admin" }).click();
  await page.getByText("database").waitFor();
  await visitor.loaded();
  await visitor.examine("admin-overview");
  for (const [path, words] of [
    ["apps", slug],
    ["organizations", "running)"],
    ["users", "signed in"],
    ["nodes", "leader"],
    ["settings", "Test the connections"],
    ["audit", "app.create"],
  ] as const) {
    await visitor.goto(`/admin/${path}`, "Admin");
    await page.getByText(words).first().waitFor();
    await visitor.examine(`admin-${path}`);
  }
  await visitor.goto("/admin/nodes", "Admin");
  await page.locator("tbody").getByRole("link").first().click();
  const memory = page.locator(".chart", { hasText: "Memory" });
  await memory.getByText("there is").waitFor();
  await page.getByRole("button", { name: "Look closer" }).click();
  await page.getByRole("button", { name: "Earlier" }).click();
  await page.getByRole("button", { name: "Look at more" }).click();
  await page.getByText("7 days", { exact: true }).click();
  await visitor.loaded();
  await memory.getByText("used").waitFor();
  await visitor.examine("admin-node");
  await visitor.goto("/admin/nodes/none-of-ours", "Admin");
  await page.getByText('The Swarm has no node "none-of-ours".').waitFor();
  // Of the way around a phone shows all, and of a longer one where it goes on and what is shown now.
  await page.setViewportSize(PHONE);
  await page.locator("nav.tabs[data-before]").waitFor();
  const current = await page.locator('nav.tabs [aria-current="page"]').boundingBox();
  expect(current?.x).toBeGreaterThan(0);
  expect((current?.x ?? 0) + (current?.width ?? 0)).toBeLessThan(PHONE.width);
  const nav = await page.locator("nav.nav").evaluate((of) => [of.scrollWidth, of.clientWidth]);
  expect(nav[0]).toBeLessThanOrEqual(nav[1] ?? 0);
  await page.setViewportSize(DESK);
  // What is not there is told where the way to the others is.
  await visitor.goto("/admin/no-such-page", "There is nothing here");
  await page.getByRole("link", { name: "Audit" }).waitFor();
  await visitor.goto("/admin/organizations", "Admin");
  await page.getByRole("searchbox").fill(organization);
  await page.getByRole("button", { name: `Top up ${organization}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Amount in dollars").fill("12.50");
  await dialog.getByLabel("Reference of the payment").fill(organization);
  await visitor.examine("admin-top-up", { phone: false });
  await dialog.getByRole("button", { name: "Top up" }).click();
  await page.getByText("balance $12.50").waitFor();
  await page.getByRole("button", { name: `Suspend ${organization}` }).click();
  await dialog.getByLabel("Why").fill("A test");
  await dialog.getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("button", { name: `Resume ${organization}` }).click();
  await page.getByRole("button", { name: `Suspend ${organization}` }).waitFor();
  await visitor.goto("/admin/users", "Admin");
  await page.getByRole("searchbox").fill(member.email);
  await page.getByRole("button", { name: `Make admin: ${member.email}` }).click();
  await page.getByRole("dialog", { name: `Make ${member.email} an admin?` }).waitFor();
  await visitor.examine("admin-make-admin", { phone: false });
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: `Lock out: ${member.email}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Lock out" }).click();
  await page.getByRole("button", { name: `Let in: ${member.email}` }).waitFor();
  await visitor.leave();
});
