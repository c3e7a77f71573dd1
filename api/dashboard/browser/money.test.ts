// A wallet that runs out takes the apps with it, and a top-up brings them back, while their people watch.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { admin, Person, unique, visit } from "./instance";

const organization = unique("org");
const slug = unique("paid");
let owner: Person;
let operator: Person;

beforeAll(() => {
  owner = Person.member(organization, "owner");
  operator = Person.admin();
  owner.deploy(slug, TALKING);
});

afterAll(async () => {
  admin("settings:set", "billing.enabled=false");
  await closeBrowser();
  owner.destroy(slug);
  owner.remove();
  operator.remove();
});

test("an app stops with its wallet and goes on with a top-up", async () => {
  const [visitor, other] = [await Visitor.signedIn(operator), await Visitor.signedIn(owner)];
  const { page } = visitor;
  const move = async (kind: string, amount: string, reference: string) => {
    await page.getByRole("button", { name: `Top up ${organization}` }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Kind").selectOption(kind);
    await dialog.getByLabel("Amount in dollars").fill(amount);
    await dialog.getByLabel("Reference of the payment").fill(reference);
    await visitor.loaded();
    await dialog.getByRole("button", { name: kind === "top_up" ? "Top up" : "Adjust" }).click();
    await dialog.waitFor({ state: "detached" });
  };
  await visitor.goto("/admin/billing", "Admin");
  await page.getByText("Billing is off").waitFor();
  await visitor.examine("admin-billing");
  await move("top_up", "5", `${organization}-1`);
  admin("settings:set", "billing.enabled=true");

  await visitor.goto("/admin/billing", "Admin");
  await page.getByText("Billing was switched on").waitFor();
  await page.getByRole("button", { name: "Settle now" }).click();
  await page.getByText("Settled ").first().waitFor();
  await page.getByRole("button", { name: `Ledger of ${organization}` }).click();
  await page.getByRole("dialog").getByText(`${organization}-1`).waitFor();
  await visitor.examine("admin-ledger", { phone: false });
  await page.keyboard.press("Escape");

  // The owner sees where it is going before they scale.
  await other.goto(`/apps/${slug}/scale`);
  await other.page.getByRole("combobox", { name: "Plan" }).selectOption({ index: 2 });
  await other.page.locator("[data-runs-out]", { hasText: "With it the wallet runs out on" }).waitFor();
  await other.examine("scale-runs-out");
  await other.goto("/usage", "Usage and billing");
  await other.page.getByText("$5.00").first().waitFor();
  await other.page.getByText(/lasts \d+ (hours|days)/).waitFor();
  await other.examine("usage-with-billing");
  const downloading = other.page.waitForEvent("download");
  await other.page.getByRole("link", { name: "CSV" }).click();
  const csv = readFileSync(await (await downloading).path(), "utf8")
    .trim()
    .split("\n");
  expect(csv).toEqual(["hour,app_id,app,process,plan,price_per_hour,replica_seconds,cost,charged"]);

  await other.goto(`/apps/${slug}`);
  await other.page.locator('[data-status="running"]').first().waitFor();
  await move("adjustment", "-5", "");
  // Nobody reloads their page.
  await other.page.getByText("once an admin of the platform has topped it up").waitFor({ timeout: 2 * SOON_MS });
  await other.page.locator('[data-status="suspended"]').first().waitFor();
  // Whatever screen they look at.
  const notice = other.page.getByRole("complementary", { name: "Wallets" });
  await notice.getByText(`${organization}: The wallet is empty`).waitFor();
  await other.examine("app-suspended");
  await stops();

  await move("top_up", "10", `${organization}-2`);
  await other.page
    .locator('[data-status="running"]')
    .first()
    .waitFor({ timeout: 4 * SOON_MS });
  await other.page.getByText("once an admin of the platform has topped it up").waitFor({ state: "detached" });
  await notice.waitFor({ state: "detached" });
  await answers();
  await visitor.leave();
  await other.leave();
});

test("owners set a budget, and everybody sees it and how far the month is along it", async () => {
  const viewer = Person.member(organization, "viewer");
  onTestFinished(() => viewer.remove());
  const [mine, theirs] = [await Visitor.signedIn(owner), await Visitor.signedIn(viewer)];
  for (const visitor of [mine, theirs]) await visitor.goto("/usage", "Usage and billing");
  await theirs.page.getByText("There is no budget for a month.").waitFor();
  await theirs.page.getByText("Owners of the organisation set when people are warned.").waitFor();
  expect(await theirs.page.getByRole("form", { name: "When people are warned" }).count()).toBe(0);

  const form = mine.page.getByRole("form", { name: "When people are warned" });
  await form.getByLabel("Budget of a month in dollars").fill("0");
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByText("above zero").waitFor();
  await form.getByLabel("Budget of a month in dollars").fill("12.5");
  await form.getByLabel("Hours that the balance must last for").fill("100");
  await form.getByRole("button", { name: "Save" }).click();
  await mine.page.getByText("People are warned by these from now on.").waitFor();
  // Nobody reloads the viewer's page.
  await theirs.page.getByText("of the budget of $12.50 were charged in").waitFor();
  await theirs.page.getByRole("progressbar", { name: "of the budget of $12.50" }).waitFor();
  await theirs.page.getByText("less than 100 hours of what runs").waitFor();
  for (const visitor of [mine, theirs]) {
    await visitor.page.getByText("of the budget of $12.50").scrollIntoViewIfNeeded();
    await visitor.page.getByText("Nothing is stopped for it.").waitFor();
  }
  await mine.examine("usage-alerts");
  await theirs.examine("usage-alerts-seen");

  await form.getByLabel("Budget of a month in dollars").fill("");
  await form.getByRole("button", { name: "Save" }).click();
  await theirs.page.getByText("There is no budget for a month.").waitFor();
  await mine.page.getByRole("link", { name: "Who is told" }).click();
  await mine.page.getByRole("heading", { name: "Who is told of alerts" }).waitFor();
  await mine.leave();
  await theirs.leave();
});

async function answers() {
  await expect.poll(async () => (await visit(slug)).status, { timeout: 4 * SOON_MS }).toBe(200);
}

/** Until a page of the platform says why the app answers no more. */
async function stops() {
  await expect.poll(async () => (await visit(slug)).status, { timeout: 4 * SOON_MS }).toBe(503);
}
