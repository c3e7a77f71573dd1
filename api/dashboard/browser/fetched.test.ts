// An app that is fetched from a Git host, which is the platform itself: its deploy key, its first deployment, the same
// commit once more, the way back, and a host that tells of a push.
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { ADDRESS, admin, instance, Person, unique } from "./instance";

const organization = unique("org");
const [origin, slug] = [unique("origin"), unique("fetched")];
let owner: Person;
let reader: Person;

beforeAll(() => {
  owner = Person.member(organization, "owner");
  reader = Person.member(organization, "viewer");
  owner.deploy(origin, TALKING);
  owner.command(`apps:create ${slug}`);
  admin("settings:set", "network.allowed=127.0.0.0/8");
});

afterAll(async () => {
  admin("settings:set", "network.allowed=");
  await closeBrowser();
  for (const app of [origin, slug]) owner.destroy(app);
  owner.remove();
  reader.remove();
});

test("a repository is given to an app, deployed, deployed again, and once more by the call of a webhook", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto(`/apps/${slug}/settings`);
  const git = page.getByRole("region", { name: "Git" });
  await git.getByRole("button", { name: "Make a deploy key" }).click();
  const key = (await git.locator("code").textContent()) ?? "";
  expect(key).toMatch(/^ssh-ed25519 /);
  const file = join(reader.home, "deploy-key.pub");
  writeFileSync(file, `${key}\n`);
  admin("key:add", "--email", reader.email, file);
  // Another key would lock out what has this one, so that it is asked about.
  await git.getByRole("button", { name: "New deploy key" }).click();
  await page.getByRole("dialog", { name: "Make a new deploy key?" }).getByRole("button", { name: "Leave it" }).click();
  await git.getByLabel("Repository").fill("https://no.such.host.invalid/app.git");
  await git.getByRole("button", { name: "Save" }).click();
  await git.locator("[name=git_url][aria-invalid=true]:focus").waitFor();
  await git.getByLabel("Repository").fill(`ssh://git@127.0.0.1:${instance.ssh_port}/${origin}.git`);
  await git.getByRole("button", { name: "Save" }).click();
  await git.getByRole("button", { name: "Check it" }).click();
  await page.getByText("The repository answers, and has the branch.").waitFor();

  await page.getByRole("link", { name: "Overview" }).click();
  await page.getByRole("button", { name: "Deploy main" }).click();
  const live = page.locator('[data-status="running"]', { hasText: "live" });
  await live.waitFor({ timeout: 4 * SOON_MS });
  await page.getByRole("heading", { name: "v1: First" }).waitFor();
  await page.getByRole("button", { name: "Deploy again" }).click();
  await page.getByRole("heading", { name: "v2: First" }).waitFor({ timeout: 4 * SOON_MS });
  await live.waitFor({ timeout: 4 * SOON_MS });
  await visitor.loaded();
  await visitor.examine("deployment-again");
  await page.getByRole("link", { name: "All deployments" }).click();
  await page.getByRole("button", { name: "Deploy main" }).waitFor();
  await page.getByRole("button", { name: "Roll back to v1" }).waitFor();
  await visitor.examine("deployments-fetched");

  await page.getByRole("link", { name: "Settings" }).click();
  await git.getByRole("switch", { name: "Deploy by itself when the host tells of a push" }).click();
  await git.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  const webhooks = page.getByRole("region", { name: "Webhooks" });
  await webhooks.getByLabel("Host").selectOption("generic");
  await webhooks.getByRole("button", { name: "Make a webhook" }).click();
  const secret = (await webhooks.locator(".save-bar code").textContent()) ?? "";
  const address = (await webhooks.locator(".card code").textContent()) ?? "";
  await webhooks.getByRole("button", { name: "Calls" }).click();
  await webhooks.getByText("It was not called yet.").waitFor();
  // What it was called with comes by itself.
  const calls = webhooks.getByRole("list", { name: "Calls" }).getByRole("listitem");
  expect(await call(address, secret, {}, "ping")).toBe(200);
  await calls.getByText("The webhook works.").waitFor();
  expect(await call(address, secret, { ref: "elsewhere" })).toBe(200);
  const ignored = calls.filter({ has: page.locator('[data-status="ignored"]') });
  await ignored.getByText('The push was to "elsewhere"').waitFor();
  expect(await call(address, secret, { ref: "main" })).toBe(202);
  const deployed = calls.filter({ has: page.locator('[data-status="deployed"]') });
  await deployed.waitFor();
  // Only a push can be taken for one that comes now.
  expect(await calls.getByRole("button", { name: "Again" }).count()).toBe(2);
  await visitor.examine("settings-webhook-calls");
  await page.getByRole("link", { name: "Deployments" }).click();
  const newest = page.getByRole("list", { name: "Deployments" }).getByRole("listitem").first();
  await newest.getByText("v3", { exact: true }).waitFor({ timeout: 4 * SOON_MS });
  await newest.locator('[data-status="running"]', { hasText: "live" }).waitFor({ timeout: 4 * SOON_MS });
  await page.getByRole("link", { name: "Settings" }).click();
  await webhooks.getByRole("button", { name: "Calls" }).click();
  await deployed.getByRole("button", { name: "Again" }).click();
  await expect.poll(() => deployed.count()).toBe(2);
  await page.getByRole("link", { name: "Deployments" }).click();
  await newest.getByText("v4", { exact: true }).waitFor({ timeout: 4 * SOON_MS });
  await newest.locator('[data-status="running"]', { hasText: "live" }).waitFor({ timeout: 4 * SOON_MS });
  await visitor.leave();
});

/** Calls a webhook as a script of one's own does; the status of the answer. */
async function call(address: string, secret: string, told: object, event = "push"): Promise<number> {
  const body = JSON.stringify(told);
  const now = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", secret).update(`${now}.${body}`).digest("hex");
  const answer = await fetch(new URL(new URL(address).pathname, ADDRESS), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-skypanel-event": event,
      "x-skypanel-timestamp": String(now),
      "x-skypanel-signature": `sha256=${signature}`,
    },
    body,
  });
  return answer.status;
}
