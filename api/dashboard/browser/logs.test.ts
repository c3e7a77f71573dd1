// The log of an app: hostile content, filters that the address keeps, a line that can be gone to, and very many lines.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WRITING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { Person, unique, visit } from "./instance";

/** So many lines are written and read back. */
const MANY = 20_000;
/** Longest piece of a line that is kept, with its time and its process before it. */
const LONGEST = 16_384 + "00:00:00web.1".length;

const slug = unique("logs");
let owner: Person;

beforeAll(() => {
  owner = Person.member(unique("org"), "owner");
  owner.deploy(slug, WRITING);
});

afterAll(async () => {
  await closeBrowser();
  owner.destroy(slug);
  owner.remove();
});

test("what an app writes is text and colours, and nothing else", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/logs?source=app`);
  await page.locator('[data-connection="live"]').waitFor();
  expect((await visit(slug, "/hostile")).status).toBe(200);
  await page.getByText("end of what is hostile").waitFor();
  await page.locator(".log-line .ansi-1", { hasText: "red" }).waitFor();
  await page.locator(".log-line .ansi-on-3", { hasText: "on yellow" }).waitFor();
  const lines = await page.locator(".log-line").allTextContents();
  const shown = (text: string) => lines.find((line) => line.includes(text)) ?? "";
  expect(shown("null")).toContain("nullinbetween");
  expect(shown("document.title='owned'</script>")).toContain("<script>");
  expect(shown("a link")).not.toContain("evil.example");
  expect(shown("moved")).toMatch(/web\.1moved$/);
  expect(shown("gnirts")).not.toContain("\u202e");
  // What looks like another line's beginning is only the text of this one.
  expect(shown("forged")).toMatch(/^\d\d:\d\d:\d\dweb\.12026-01-01T00:00:00Z app\[web\.1\]: forged$/);
  expect(await page.locator(".log img, .log script, .log-line a[href*='evil']").count()).toBe(0);
  expect(await page.title()).not.toContain("owned");
  await visitor.examine("logs-hostile");

  // Ten megabytes in one line come in pieces, and the page stays what it is.
  await visit(slug, "/long?n=10000000");
  await page.getByText("the end of it").waitFor({ timeout: 4 * SOON_MS });
  const longest = await page
    .locator(".log-line")
    .evaluateAll((rows) => Math.max(...rows.map((row) => row.textContent?.length ?? 0)));
  expect(longest).toBe(LONGEST);
  const downloaded = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download these lines" }).click();
  const file = readFileSync(await (await downloaded).path(), "utf8");
  expect(file).toContain("on yellow, inverse, faint on blue\n");
  expect(file).not.toContain("\u001b");
  await visitor.leave();
});

test("filters narrow what is shown, and the address keeps them", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/logs`);
  await page.locator('[data-connection="live"]').waitFor();
  await visit(slug, "/levels");
  const line = (text: string) => page.locator(".log-line", { hasText: text });
  await line("error: it broke").waitFor();
  await line("info: all is well").waitFor();
  await page.locator('.log-line[data-level="error"]', { hasText: "it broke" }).waitFor();

  // What is still on its way for one view comes to nothing in the next.
  const older = /\/logs\?.*direction=backward/;
  await page.route(older, () => {});
  const given = page.waitForEvent("requestfailed", (request) => older.test(request.url()));
  await page.getByRole("button", { name: "Older lines" }).click();
  await page.getByRole("combobox", { name: "Level" }).selectOption("warn");
  await line("info: all is well").waitFor({ state: "detached" });
  await given;
  await page.unroute(older);
  await line("warning: it is slow").waitFor();
  await page.getByRole("combobox", { name: "Level" }).selectOption("");
  await page.getByRole("combobox", { name: "Source" }).selectOption("router");
  await line("/levels").first().waitFor();
  await line("error: it broke").waitFor({ state: "detached" });
  await page.getByRole("combobox", { name: "Source" }).selectOption("build");
  await page.locator(".log-process", { hasText: "build" }).first().waitFor();
  await page.getByRole("combobox", { name: "Source" }).selectOption("");
  await page.getByRole("combobox", { name: "Process" }).selectOption("web");
  await page.keyboard.press("Escape");
  await page.locator("#content").press("/");
  // Who stops after a word, which is searched for, goes on with the next.
  await page.keyboard.type("IT ");
  await page.waitForURL((url) => url.searchParams.get("text") === "IT");
  await page.keyboard.type("BROKE");
  await line("info: all is well").waitFor({ state: "detached" });
  await line("error: it broke").waitFor();
  await page.waitForURL((url) => url.searchParams.get("text") === "IT BROKE");
  expect(new URL(page.url()).searchParams.get("process")).toBe("web");

  await page.getByLabel("Expression").check();
  await page.getByRole("searchbox").fill("it (broke|is slow)$");
  await line("warning: it is slow").waitFor();
  await visitor.examine("logs-filtered");
  await page.getByRole("searchbox").fill("(not closed");
  await page.getByRole("alert").waitFor();
  await page.getByRole("searchbox").fill("no line has this");
  await page.getByText("No line fits yet.").waitFor();

  // The same address is the same view for somebody else.
  await visitor.goto(`/apps/${slug}/logs?text=it+broke&level=error`);
  await line("error: it broke").waitFor();
  await page.getByRole("combobox", { name: "Time" }).selectOption("1h");
  await line("error: it broke").waitFor();
  // The last hour is soon another one; the line stays.
  const addressOf = async () =>
    new URL((await line("error: it broke").locator("a").getAttribute("href")) ?? "", page.url());
  expect((await addressOf()).searchParams.get("since")).toBeNull();
  expect((await addressOf()).searchParams.get("text")).toBe("it broke");
  await page.getByRole("combobox", { name: "Time" }).selectOption("between");
  await page.getByLabel("Until").waitFor();
  await page.getByLabel("From").fill("2020-01-01T00:00");
  await page.getByLabel("Until").fill("2020-01-02T00:00");
  await page.getByText("No line that is kept fits.").waitFor();
  await visitor.examine("logs-between");
  await visitor.leave();
});

test("a line has an address, and very many lines scroll to their beginning and back", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/logs?source=app`);
  await page.locator('[data-connection="live"]').waitFor();
  await visit(slug, `/lines?n=${MANY}`);
  const last = page.locator(".log-line", { hasText: `line ${MANY} of ${MANY}` });
  await last.waitFor({ timeout: 4 * SOON_MS });
  // The page holds all of them, and has only those in sight.
  await page.waitForFunction(
    (many) => Number(document.querySelector("[data-lines]")?.getAttribute("data-lines")) >= many,
    MANY,
  );
  expect(await page.locator(".log-line").count()).toBeLessThan(200);

  const log = page.getByRole("region", { name: `Log of ${slug}` });
  await log.evaluate((box) => {
    box.scrollTop = box.scrollHeight / 2;
  });
  await page.locator(".log[data-following='false']").waitFor();
  const chosen = page.locator(".log-line").nth(30);
  const text = (await chosen.textContent()) ?? "";
  await chosen.locator("a.log-time").click();
  await page.locator(".log-line[data-chosen]").waitFor();
  expect(await page.locator(".log-line[data-chosen]").textContent()).toBe(text);
  await page.getByRole("button", { name: "Copy the link to the line" }).waitFor();

  // The same with keys alone: from the line to its neighbours, to none, and to the last one in sight.
  const numbered = async () =>
    Number(/line (\d+) of/.exec((await page.locator("[data-chosen]").textContent()) ?? "")?.[1]);
  const clicked = await numbered();
  const address = page.url();
  await log.focus();
  await page.keyboard.press("ArrowDown");
  await page.waitForURL((url) => url.href !== address);
  await expect.poll(numbered).toBe(clicked + 1);
  await page.keyboard.press("ArrowUp");
  await page.waitForURL(address);
  await page.keyboard.press("Escape");
  await page.locator("[data-chosen]").waitFor({ state: "detached" });
  await page.keyboard.press("Enter");
  await page.locator("[data-chosen]").waitFor();
  expect(await page.locator("[data-chosen]").isVisible()).toBe(true);
  await chosen.locator("a.log-time").click();
  await page.waitForURL(address);

  // Somebody else opens it, and sees that line among its neighbours.
  const other = await Visitor.signedIn(owner);
  await other.page.goto(page.url());
  await other.page.locator(".log-line[data-chosen]").waitFor();
  const number = Number(/line (\d+) of/.exec(text)?.[1]);
  expect(await other.page.locator(".log-line[data-chosen]").textContent()).toContain(`line ${number} of ${MANY}`);
  expect(await other.page.locator(".log-line[data-chosen]").isVisible()).toBe(true);
  await other.page.locator(".log-line", { hasText: `line ${number - 1} of ${MANY}` }).waitFor();
  await other.page.locator(".log-line", { hasText: `line ${number + 1} of ${MANY}` }).waitFor();
  await other.examine("logs-line");
  // Further up lie the older ones, which come as they are wanted.
  const otherLog = other.page.getByRole("region", { name: `Log of ${slug}` });
  await otherLog.evaluate((box) => {
    box.scrollTop = 0;
  });
  await other.page.waitForFunction(
    () => Number(document.querySelector("[data-lines]")?.getAttribute("data-lines")) > 1_500,
  );
  await other.page.getByRole("button", { name: "To the newest lines" }).click();
  await other.page.locator('[data-connection="live"]').waitFor();
  await other.leave();

  await page.getByRole("button", { name: "Follow" }).click();
  await last.waitFor();
  await visit(slug, "/levels");
  await page.locator(".log-line", { hasText: "error: it broke" }).last().waitFor();
  await visitor.leave();
});
