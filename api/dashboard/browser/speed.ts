// How fast the dashboard is in a browser: its first load, a list of a thousand apps, and a log of a thousand lines a second.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { WRITING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { manyApps, Person, ROOT, unique, visit } from "./instance";

const RUNS = 5;
const LINES_A_SECOND = 1_000;
const LOG_SECONDS = 60;
const SCROLL_MS = 5_000;
/** Of a display with sixty frames a second, with some room for the clock: what is longer has dropped one. */
const FRAME_MS = 1.5 * (1_000 / 60);

const results: Record<string, number> = {};

afterAll(async () => {
  await closeBrowser();
  const directory = join(ROOT, "target/bench");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "dashboard.json"), `${JSON.stringify(results, null, 2)}\n`);
  console.log(JSON.stringify(results, null, 2));
});

test("the first load, with nothing in the browser's cache", async () => {
  const owner = Person.member(unique("org"), "owner");
  const signIns: number[] = [];
  const lists: number[] = [];
  let script = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const visitor = await Visitor.come();
    const { page } = visitor;
    const network = await visitor.context.newCDPSession(page);
    await network.send("Network.enable");
    const scripts = new Set<string>();
    script = 0;
    network.on("Network.responseReceived", ({ requestId, type }) => type === "Script" && scripts.add(requestId));
    network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (scripts.has(requestId)) script += encodedDataLength;
    });
    await page.goto("/sign-in");
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    signIns.push(await sinceNavigation(page));
    await visitor.signIn(owner);
    await page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
    // Signed in already, but as if for the first time.
    await network.send("Network.clearBrowserCache");
    script = 0;
    await page.goto("/apps");
    await page.getByRole("heading", { name: "Add your SSH key" }).waitFor();
    lists.push(await sinceNavigation(page));
    await visitor.leave();
  }
  results.sign_in_ms = median(signIns);
  results.apps_ms = median(lists);
  results.first_load_script_kb = Math.round(script / 1000);
  owner.remove();
});

test("a thousand apps are scrolled through", async () => {
  const organization = unique("org");
  const owner = Person.member(organization, "owner");
  const prefix = unique("app");
  onTestFinished(manyApps(organization, prefix, 1_000));
  // It has routes for all of them, and is at rest.
  await expect.poll(async () => (await visit(`${prefix}-0999`)).status, { timeout: SOON_MS }).toBe(503);
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto("/apps", "Apps");
  await page.getByText("1000 apps").waitFor();
  const frames = await page.evaluate(
    (duration) =>
      new Promise<number[]>((resolve) => {
        const frames: number[] = [];
        const begun = performance.now();
        let last = begun;
        const step = (now: number) => {
          frames.push(now - last);
          last = now;
          window.scrollTo(0, ((now - begun) / duration) * document.body.scrollHeight);
          if (now - begun < duration) requestAnimationFrame(step);
          else resolve(frames.slice(1));
        };
        requestAnimationFrame(step);
      }),
    SCROLL_MS,
  );
  results.thousand_apps_frames_a_second = Math.round(frames.length / (SCROLL_MS / 1000));
  const dropped = frames.filter((frame) => frame > FRAME_MS).length;
  results.thousand_apps_dropped_percent = Math.round((1_000 * dropped) / frames.length) / 10;
  results.thousand_apps_longest_frame_ms = Math.round(Math.max(...frames));
  await visitor.leave();
  owner.remove();
});

test(
  "a thousand lines a second are followed for a minute",
  async () => {
    const owner = Person.member(unique("org"), "owner");
    const slug = unique("flood");
    owner.deploy(slug, WRITING);
    const visitor = await Visitor.signedIn(owner);
    const { page } = visitor;
    await visitor.goto(`/apps/${slug}/logs?source=app`);
    await page.locator('[data-connection="live"]').waitFor();
    const heap = await visitor.context.newCDPSession(page);
    const used = async () => {
      await heap.send("HeapProfiler.collectGarbage");
      return (await heap.send("Runtime.getHeapUsage")).usedSize;
    };
    // The page is full before it is looked at: from then on as many lines go as come.
    await visit(slug, "/lines?n=50000");
    await page.waitForFunction(
      () => Number(document.querySelector("[data-lines]")?.getAttribute("data-lines")) >= 50_000,
    );
    const before = await used();
    await page.evaluate(() => {
      const frames: number[] = [];
      let last = performance.now();
      const step = (now: number) => {
        frames.push(now - last);
        last = now;
        requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
      Object.assign(window, { frames });
    });
    for (let second = 0; second < LOG_SECONDS; second += 1) {
      const next = Date.now() + 1_000;
      await visit(slug, `/lines?n=${LINES_A_SECOND}`);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
    }
    const frames = await page.evaluate(() => (window as unknown as { frames: number[] }).frames.slice(1));
    // The page has kept up to the end.
    await visit(slug, "/lines?n=7");
    await page.locator(".log-line", { hasText: "line 7 of 7" }).waitFor();
    const after = await used();
    results.log_longest_frame_ms = Math.round(Math.max(...frames));
    results.log_frames_over_100_ms = frames.filter((frame) => frame > 100).length;
    results.log_heap_growth_mb = Math.round((after - before) / 100_000) / 10;
    await visitor.leave();
    owner.destroy(slug);
    owner.remove();
  },
  6 * SOON_MS + LOG_SECONDS * 2_000,
);

/** Milliseconds since the navigation began. */
const sinceNavigation = (page: Page) => page.evaluate(() => Math.round(performance.now()));

function median(numbers: number[]): number {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0;
}
