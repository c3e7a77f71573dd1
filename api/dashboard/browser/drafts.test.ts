// What somebody typed and has not saved: of which app it is, what becomes of it while something is saved, and where the
// keyboard goes on.
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeBrowser, Visitor } from "./browser";
import { Person, unique } from "./instance";

const organization = unique("org");
const [slug, other] = [unique("one"), unique("other")];
let owner: Person;

beforeAll(() => {
  owner = Person.member(organization, "owner");
  owner.registerKey();
  for (const app of [slug, other]) owner.command(`apps:create ${app}`);
});

afterAll(async () => {
  await closeBrowser();
  owner.destroy(other);
  owner.remove();
});

/** Holds back what the page sends to this address by this method, until the returned function is called. */
async function held(page: Visitor["page"], method: string, address: string): Promise<() => void> {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(address, async (route) => {
    if (route.request().method() === method) await released;
    await route.continue();
  });
  return release;
}

test("what was typed for one app is not taken to another", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/environment`);
  await page.getByText("No config var yet.").waitFor();
  const form = page.getByRole("form", { name: "Add a config var" });
  await form.getByLabel("Name").fill("OF_ONE");
  await form.getByLabel("Value", { exact: true }).fill("1");
  await form.getByRole("button", { name: "Add" }).click();
  await page.getByText("Adds OF_ONE").waitFor();
  await form.getByLabel("Name").fill("HALF");
  // From within a field as well.
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Where to" }).fill(`${other} environment`);
  await page.getByRole("option", { name: "environment" }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Go without saving?" }).getByText("2 changes on").waitFor();
  // A question is answered first.
  await page.keyboard.press("Control+k");
  await page.getByRole("button", { name: "Go without saving" }).click();
  await page.getByRole("heading", { name: other, level: 1 }).waitFor();
  await page.getByText("No config var yet.").waitFor();
  expect(await page.getByText("OF_ONE").count()).toBe(0);
  expect(await form.getByLabel("Name").inputValue()).toBe("");
  await visitor.leave();
});

test("what is changed while it is saved is not lost, and keys go on where something was done", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/environment`);
  const form = page.getByRole("form", { name: "Add a config var" });
  const add = async (name: string) => {
    await form.getByLabel("Name").fill(name);
    await form.getByLabel("Value", { exact: true }).fill(` of ${name} `);
    await form.getByRole("button", { name: "Add" }).click();
  };
  const vars = page.getByRole("list", { name: "Config vars" });
  const row = (name: string) => vars.getByRole("listitem").filter({ hasText: name });
  const focused = (name: string) => expect.poll(() => page.locator(":focus").getAttribute("aria-label")).toBe(name);
  await add("FIRST");
  const release = await held(page, "PATCH", `**/apps/${slug}/env`);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await add("SECOND");
  release();
  await page.getByText("Saved.").waitFor();
  await row("FIRST").getByText("set").waitFor();
  await row("SECOND").getByText("will be added").waitFor();
  await page.getByText("1 change not saved.").waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).focus();
  await page.keyboard.press("Enter");
  await row("SECOND").getByText("set").waitFor();
  await focused("Config vars");

  await add("THIRD");
  await page.getByRole("button", { name: "Take back the change of THIRD" }).focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator(":focus").getAttribute("name")).toBe("key");
  await page.getByRole("button", { name: "Change FIRST" }).focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("New value of FIRST").fill("a secret");
  await page.getByRole("button", { name: "Leave it" }).focus();
  await page.keyboard.press("Enter");
  await focused("Change FIRST");
  await page.keyboard.press("Enter");
  expect(await page.getByLabel("New value of FIRST").inputValue()).toBe("");
  await page.keyboard.type("another");
  await page.keyboard.press("Enter");
  await focused("Take back the change of FIRST");
  await row("FIRST").getByText("will be changed").waitFor();
  await page.keyboard.press("Enter");
  await focused("Change FIRST");
  await page.getByRole("button", { name: "Remove FIRST" }).focus();
  await page.keyboard.press("Enter");
  await focused("Take back the change of FIRST");
  await page.keyboard.press("Enter");
  await focused("Change FIRST");
  await visitor.leave();
});

test("settings that are not saved are asked about, all at once, and what is being done is not called off", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/settings`);
  const health = page.getByRole("region", { name: "Health check" });
  const names = page.getByRole("region", { name: "Names" });
  await health.getByLabel("Path").fill("/levels");
  await health.getByLabel("Failures in a row").fill("7");
  await names.getByLabel("Display name").fill("The one");
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByRole("dialog", { name: "Go without saving?" }).getByText("3 changes on this page").waitFor();
  await page.getByRole("button", { name: "Stay" }).click();
  await names.getByLabel("Display name").fill(slug);

  const saved = await held(page, "PATCH", `**/api/paas/apps/${slug}`);
  await health.getByRole("button", { name: "Save" }).click();
  await health.getByLabel("Path").fill("/health");
  saved();
  await page.getByText("Saved. What runs").waitFor();
  await expect.poll(() => health.getByRole("button", { name: "Save" }).isEnabled()).toBe(true);
  expect(await health.getByLabel("Path").inputValue()).toBe("/health");
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByRole("dialog", { name: "Go without saving?" }).getByText("1 change on this page").waitFor();
  await page.getByRole("button", { name: "Stay" }).click();

  // What is sent cannot be called off, and who goes elsewhere meanwhile stays there.
  const destroyed = await held(page, "DELETE", `**/api/paas/apps/${slug}`);
  await page.getByRole("button", { name: `Destroy ${slug}` }).click();
  const dialog = page.getByRole("dialog", { name: `Destroy ${slug}?` });
  await dialog.getByLabel(`Type ${slug} to go on`).fill(slug);
  await dialog.getByRole("button", { name: "Destroy it" }).click();
  await dialog.getByRole("button", { name: "Leave it", disabled: true }).waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor();
  destroyed();
  await page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
  await visitor.leave();
});
