// What is on a screen stays where it is while the rest of it is loaded.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, Visitor } from "./browser";
import { Person, unique } from "./instance";

/** The least that counts as good, as browsers add it up (Cumulative Layout Shift). */
const GOOD = 0.1;
const slug = unique("still");
let owner: Person;

beforeAll(() => {
  owner = Person.member(unique("org"), "owner");
  owner.deploy(slug, TALKING);
});

afterAll(async () => {
  await closeBrowser();
  owner.destroy(slug);
  owner.remove();
});

/** Each screen with what is on it once all of it is there. */
const SCREENS: [path: string, words: string][] = [
  ["/apps", slug],
  [`/apps/${slug}`, "web.1"],
  [`/apps/${slug}/deployments`, "First"],
  [`/apps/${slug}/logs`, "listening"],
  [`/apps/${slug}/metrics`, "Drag over a part"],
  [`/apps/${slug}/environment`, "No config var yet."],
  [`/apps/${slug}/domains`, "No domain of its own yet."],
  [`/apps/${slug}/scale`, "npm start"],
  [`/apps/${slug}/console`, "A process of its own"],
  [`/apps/${slug}/settings`, "No webhook yet."],
  ["/plans", "Cost an hour"],
  ["/organizations", "What happened"],
  ["/usage", "The wallet has not moved yet."],
  ["/account", "this one"],
  ["/new", "an hour"],
];
const ADMIN: [path: string, words: string][] = [
  ["/admin", "database"],
  ["/admin/apps", slug],
  ["/admin/organizations", "running)"],
  ["/admin/users", "signed in"],
  ["/admin/nodes", "leader"],
  ["/admin/plans", "hobby"],
  ["/admin/billing", "Settle now"],
  ["/admin/jobs", "Waiting"],
  ["/admin/alerts", "Alerts"],
  ["/admin/settings", "Test the connections"],
  ["/admin/audit", "app.create"],
];

test.each([false, true])("nothing moves while a screen comes (phone: %s)", async (phone) => {
  const visitor = await Visitor.signedIn(owner, { phone });
  expect(await moved(visitor, SCREENS)).toEqual([]);
  await visitor.leave();
});

test("nothing moves while a screen of the admin comes", async () => {
  const admin = Person.admin();
  onTestFinished(() => admin.remove());
  const visitor = await Visitor.signedIn(admin);
  expect(await moved(visitor, ADMIN)).toEqual([]);
  await visitor.leave();
});

/** The screens on which too much moved, and by how much. */
async function moved(visitor: Visitor, screens: [path: string, words: string][]): Promise<string[]> {
  const found = [];
  for (const [path, words] of screens) {
    await visitor.goto(path);
    await visitor.page.getByText(words).first().waitFor();
    await visitor.loaded();
    const { score, what } = await shift(visitor.page);
    if (score >= GOOD) found.push(`${path}: ${score.toFixed(3)} ${what}`);
  }
  return found;
}

interface LayoutShift extends PerformanceEntry {
  value: number;
  hadRecentInput: boolean;
  sources: { node: Element | null }[];
}

/** By how much what was shown has moved since the page began to load, and what it was. */
async function shift(page: Page): Promise<{ score: number; what: string }> {
  const shifts = await page.evaluate(async () => {
    const all: LayoutShift[] = [];
    const observer = new PerformanceObserver((list) => all.push(...(list.getEntries() as LayoutShift[])));
    observer.observe({ type: "layout-shift", buffered: true });
    // What was noted before is told with one of the next frames.
    for (let frame = 0; frame < 5; frame += 1) await new Promise(requestAnimationFrame);
    all.push(...(observer.takeRecords() as LayoutShift[]));
    return all
      .filter((one) => !one.hadRecentInput)
      .map((one) => ({
        value: one.value,
        what: one.sources.map(({ node }) => node?.outerHTML?.slice(0, 80) ?? "").join(" | "),
      }));
  });
  return {
    score: shifts.reduce((sum, one) => sum + one.value, 0),
    what: shifts.map((one) => `${one.value.toFixed(3)} ${one.what}`).join("; "),
  };
}
