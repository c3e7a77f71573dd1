// Chromium on the dashboard: pages that fail a test when their console shows an error, axe, and screenshots.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { expect, onTestFailed } from "vitest";
import { ADDRESS, type Person, ROOT } from "./instance";

const SHOTS = join(ROOT, "target/screenshots");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Longest that something on a page may take to come. */
export const SOON_MS = 15_000;
export const DESK = { width: 1280, height: 860 };
export const PHONE = { width: 390, height: 844 };

let browser: Browser | undefined;
let visitors = 0;

async function chrome(): Promise<Browser> {
  browser ??= await chromium.launch({
    executablePath: process.env.SKYPANEL_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

/** A browser of its own, with its own cookies. */
export class Visitor {
  readonly problems: string[] = [];
  /** What the browser did not get, which some tests want; told where one fails. */
  readonly lost: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.setDefaultTimeout(SOON_MS);
    page.on("requestfailed", (request) => {
      this.lost.push(`${request.url()}: ${request.failure()?.errorText}`);
    });
    page.on("crash", () => this.problems.push("the page crashed"));
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      // What the server refuses is logged by Chromium as well, and is what some tests want.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        this.problems.push(message.text());
      }
    });
  }

  static async come(options: { dark?: boolean; phone?: boolean } = {}): Promise<Visitor> {
    const context = await (await chrome()).newContext({
      baseURL: ADDRESS,
      viewport: options.phone ? PHONE : DESK,
      colorScheme: options.dark ? "dark" : "light",
      reducedMotion: "reduce",
    });
    const visitor = new Visitor(context, await context.newPage());
    onTestFailed(async ({ task }) => {
      console.error([visitor.page.url(), ...visitor.problems, ...visitor.lost].join("\n"));
      visitors += 1;
      await visitor.shoot(`failed-${visitors}-${task.name.replaceAll(/\W+/g, "-").slice(0, 60)}`).catch(() => {});
    });
    return visitor;
  }

  static async signedIn(person: Person, options: { dark?: boolean; phone?: boolean } = {}): Promise<Visitor> {
    const visitor = await Visitor.come(options);
    await visitor.page.goto("/");
    await visitor.signIn(person);
    await visitor.page.getByRole("heading", { level: 1, name: "Apps" }).waitFor();
    return visitor;
  }

  async signIn(person: Pick<Person, "email" | "password">) {
    await this.page.getByLabel("E-mail address").fill(person.email);
    await this.page.locator("input[name=password]").fill(person.password);
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Ends the session, as another browser of the same person would. */
  async endSession() {
    const cookies = await this.context.cookies();
    const csrf = cookies.find((cookie) => cookie.name.endsWith("skypanel_csrf"))?.value ?? "";
    const ended = await this.context.request.post("/api/auth/logout-all", { headers: { "x-csrf-token": csrf } });
    expect(ended.status()).toBe(204);
    // The answer made this browser forget its cookies, which another's would not have.
    await this.context.addCookies(cookies);
  }

  /** Goes to an address and waits until the screen shows what it is about. */
  async goto(path: string, heading?: string) {
    await this.page.goto(path);
    if (heading) await this.page.getByRole("heading", { name: heading }).first().waitFor();
    await this.loaded();
  }

  /** Until the screen that somebody went to is there, and nothing on it is being loaded. */
  async loaded() {
    await this.page.waitForFunction(() => {
      const screen = document.querySelector("main");
      return screen?.textContent && screen.ariaBusy !== "true" && !document.querySelector('[aria-label="Loading"]');
    });
  }

  /** Looks at the screen as it is in both themes with axe, and takes its pictures. */
  async examine(name: string, options: { phone?: boolean } = {}) {
    for (const scheme of ["light", "dark"] as const) {
      await this.colours(scheme);
      await this.check(`${name} (${scheme})`);
      await this.shoot(`${name}-${scheme}`);
    }
    await this.colours("light");
    if (options.phone !== false) {
      await this.page.setViewportSize(PHONE);
      await this.check(`${name} (phone)`);
      const wide = await this.page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(wide, `${name} is wider than a phone`).toBeLessThanOrEqual(0);
      expect(await this.cut(), `cut on ${name} (phone)`).toEqual([]);
      await this.shoot(`${name}-phone`);
      await this.page.setViewportSize(DESK);
    }
  }

  private async colours(scheme: "light" | "dark") {
    await this.page.emulateMedia({ colorScheme: scheme });
    await this.page.waitForFunction((scheme) => document.documentElement.dataset.mantineColorScheme === scheme, scheme);
  }

  /** Until colours and places have come to rest. */
  private async rested() {
    await this.page.evaluate(async () => {
      // What was just changed begins to move with the next frame.
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      const ending = document
        .getAnimations()
        .filter((one) => one.effect?.getTiming().iterations !== Number.POSITIVE_INFINITY);
      return Promise.all(ending.map((one) => one.finished.catch(() => {})));
    });
  }

  /** Buttons and links of which a part is out of sight sideways, where nothing shows that there is more that way. */
  private async cut(): Promise<string[]> {
    return this.page.evaluate(() => {
      const isCut = (one: Element) => {
        const { left, right } = one.getBoundingClientRect();
        // Before the page begins: it comes into sight when the keyboard gets there.
        if (right <= 0) return false;
        for (let box = one.parentElement; box; box = box.parentElement) {
          // An end that fades out, or what is there for screen readers alone.
          if (box.matches("[data-before], [data-after], .visually-hidden")) return false;
          if (box !== document.documentElement && getComputedStyle(box).overflowX === "visible") continue;
          const edge = box.getBoundingClientRect();
          if (left < edge.left - 1 || right > edge.right + 1) return true;
        }
        return false;
      };
      return [...document.querySelectorAll("a, button")]
        .filter((one) => one.checkVisibility() && isCut(one))
        .map((one) => one.getAttribute("aria-label") ?? one.textContent ?? "");
    });
  }

  /** What axe finds against WCAG 2.2 AA is none. */
  private async check(name: string) {
    await this.rested();
    // In a world of its own, where the page's content policy does not count.
    const session = await this.context.newCDPSession(this.page);
    const { frameTree } = await session.send("Page.getFrameTree");
    const { executionContextId } = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
    await session.send("Runtime.evaluate", { expression: AXE, contextId: executionContextId });
    const expression = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
      .then((found) => found.violations.map((one) => ({ id: one.id, help: one.help, nodes: one.nodes.map((node) => node.html + " | " + node.failureSummary) })))`;
    const answer = await session.send("Runtime.evaluate", {
      expression,
      contextId: executionContextId,
      awaitPromise: true,
      returnByValue: true,
    });
    await session.detach();
    if (answer.exceptionDetails) throw new Error(`axe failed on ${name}: ${JSON.stringify(answer.exceptionDetails)}`);
    expect(answer.result.value, `axe on ${name}`).toEqual([]);
  }

  async shoot(name: string) {
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`), animations: "disabled" });
  }

  /** Leaves; fails when the console showed an error, such as something that the content policy forbids. */
  async leave() {
    await this.context.close();
    expect(this.problems).toEqual([]);
  }
}
