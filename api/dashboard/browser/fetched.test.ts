// An app that is fetched from a Git host, which is the platform itself: its deploy key, its first deployment, the same
// commit once more, and the way back.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { admin, instance, Person, unique } from "./instance";

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

test("a repository is given to an app, deployed, and deployed again", async () => {
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
  await visitor.leave();
});
