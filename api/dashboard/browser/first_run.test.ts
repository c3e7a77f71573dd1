// The way of somebody new: sign in, a key, an app, a push watched live, and what comes after it.
import { afterAll, expect, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { instance, Person, unique, visit } from "./instance";

afterAll(closeBrowser);

test("a newcomer signs in, adds a key, makes an app, and sees the push arrive", async () => {
  const owner = Person.member(unique("org"), "owner");
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
  await page.getByRole("heading", { name: "Push your code" }).waitFor();
  await page.getByText(`/${slug}.git`).waitFor();
  await visitor.examine("app-before-its-first-push");

  const repository = owner.repository(TALKING);
  repository.commit("Say hello");
  const pushed = repository.push(slug);
  expect(pushed.status, pushed.stderr).toBe(0);

  // Nobody reloads the page.
  await page
    .locator('[data-status="running"]')
    .first()
    .waitFor({ timeout: 2 * SOON_MS });
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
  owner.destroy(slug);
  owner.remove();
});
