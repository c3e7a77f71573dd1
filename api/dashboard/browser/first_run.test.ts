// The way of somebody new: sign in, a key, an app, a push watched live, and what comes after it.
import { afterAll, expect, onTestFinished, test } from "vitest";
import { slowly } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { instance, Person, unique, visit } from "./instance";

/** Long enough to look at it while it lasts. */
const BUILD_S = 8;

afterAll(closeBrowser);

test("a newcomer signs in, adds a key, makes an app, and sees the push arrive", async () => {
  const owner = Person.member(unique("org"), "owner");
  onTestFinished(() => owner.remove());
  const slug = unique("first");
  const visitor = await Visitor.come();
  const { page } = visitor;

  await page.goto("/apps");
  await page.getByRole("heading", { name: "Sign in to Skypanel" }).waitFor();
  await visitor.examine("sign-in");
  await page.getByLabel("E-mail address").fill(owner.email);
  await page.locator("input[name=password]").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await visitor.signIn(owner);

  await page.getByRole("heading", { name: "Add your SSH key" }).waitFor();
  await visitor.loaded();
  await visitor.examine("first-steps");
  await page.getByLabel("Public key").fill(owner.publicKey);
  await page.getByRole("button", { name: "Add the key" }).click();
  await page.getByRole("heading", { name: "Your SSH key is known" }).waitFor();

  await page.getByRole("link", { name: "New app" }).first().click();
  await page.getByRole("heading", { name: "New app" }).waitFor();
  await page.getByText("an hour").first().waitFor();
  await visitor.examine("new-app");
  await page.getByLabel("Name", { exact: true }).fill(slug);
  await page.getByRole("button", { name: "Create the app" }).click();
  onTestFinished(() => owner.destroy(slug));
  await page.getByRole("heading", { name: "Push your code" }).waitFor();
  await page.getByText(`/${slug}.git`).waitFor();
  await visitor.examine("app-before-its-first-push");

  // Nobody reloads the page.
  const repository = owner.repository(slowly(BUILD_S));
  repository.commit("Say hello");
  const pushed = repository.pushInBackground(slug);
  await page.getByRole("heading", { name: "The first release is on its way" }).waitFor();
  await visitor.examine("app-before-its-first-release");
  await page.getByRole("link", { name: "Watch it being built" }).click();
  const building = page.locator('.stages [data-state="running"]', { hasText: "Build" });
  await building.waitFor();
  await page.locator(".log-line").getByText("mixing the colour", { exact: true }).waitFor();
  await page.locator('[data-connection="live"]').waitFor();
  await visitor.examine("deployment-being-built");
  expect(await building.isVisible(), "it is looked at while it is built").toBe(true);
  await page.locator('[data-connection="ended"]').waitFor({ timeout: 4 * SOON_MS });
  await page.locator('[data-status="running"]', { hasText: "live" }).waitFor();
  expect(await pushed).toBe(0);
  await expect.poll(() => visit(slug)).toEqual({ status: 200, text: "Hello" });

  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByText("v1", { exact: true }).waitFor();
  await page.getByText("web.1").waitFor();
  // What it uses now, and what it answers.
  await page
    .locator(".card", { hasText: "Memory" })
    .getByText(/^[\d.]+ [KM]B$/)
    .waitFor({ timeout: 4 * SOON_MS });
  const requests = page.locator(".card", { hasText: "Requests" });
  const answered = async () => {
    await visit(slug);
    return requests.textContent();
  };
  await expect.poll(answered, { timeout: 4 * SOON_MS, interval: 3_000 }).toContain("none of them fails");
  await visitor.examine("app-overview");
  const address = await page.getByRole("link", { name: `${slug}.localhost` }).getAttribute("href");
  expect(address).toBe(`http://${slug}.localhost:${instance.http_port}`);

  await page.getByRole("link", { name: "Deployments" }).click();
  await page.getByRole("link", { name: "Say hello" }).click();
  await page.locator('[data-connection="ended"]').waitFor();
  await page.getByText("is live").waitFor();
  await visitor.examine("deployment");

  await page.getByRole("link", { name: "Logs" }).click();
  await page.locator('[data-connection="live"]').waitFor();
  await page.locator(".log-line .ansi-2", { hasText: "listening" }).waitFor();
  await page.getByText("<img src=x onerror=alert(1)>").waitFor();
  await visitor.examine("app-logs");

  await page.getByRole("link", { name: "Metrics" }).click();
  await page
    .locator(".chart", { hasText: "Memory" })
    .getByText("web.1")
    .waitFor({ timeout: 4 * SOON_MS });
  await visitor.examine("app-metrics");
  // Where the pointer is, all charts tell what was measured then, and when that was.
  await page.locator(".chart", { hasText: "Memory" }).locator(".u-over").hover();
  const cpu = page.locator(".chart", { hasText: "CPU" });
  await cpu.locator("time").waitFor();
  expect(await cpu.locator("time").textContent()).toMatch(/^\d\d:\d\d:\d\d$/);
  await page.getByRole("heading", { level: 1 }).hover();
  await cpu.locator("time").waitFor({ state: "detached" });

  await page.getByRole("link", { name: "Apps" }).click();
  await page.getByRole("link", { name: slug }).waitFor();
  await visitor.examine("apps");
  await page.getByRole("textbox", { name: "Search apps" }).or(page.getByRole("searchbox")).fill("nothing like that");
  await page.getByText("No app fits.").waitFor();
  await visitor.leave();
});
