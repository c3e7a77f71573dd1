// The pages of the admins: plans that are made, changed, compared, chosen and removed; settings; the queue; alerts and who is told.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { closeBrowser, Visitor } from "./browser";
import { admin, Person, query, unique } from "./instance";

let operator: Person;

beforeAll(() => {
  operator = Person.admin();
});

afterAll(async () => {
  await closeBrowser();
  operator.remove();
});

test("a plan is made, compared, chosen for an app, and removed once none is on it", async () => {
  const name = unique("plan");
  const owner = Person.member(unique("org"), "owner");
  onTestFinished(() => owner.remove());
  const visitor = await Visitor.signedIn(operator);
  const { page } = visitor;
  await visitor.goto("/admin/plans", "Admin");
  await visitor.examine("admin-plans");
  await page.getByRole("button", { name: "New plan" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByLabel("CPU cores").fill("0.25");
  await dialog.getByLabel("Price of a replica an hour").fill("0.002");
  await dialog.getByText("$1.46 a month").waitFor();
  await dialog.getByLabel("Features").fill("support: e-mail\ncustom_domains");
  await visitor.examine("admin-plan-form");
  await dialog.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("button", { name: `Edit the plan ${name}` }).click();
  await dialog.getByLabel("CPU cores").fill("900");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.locator("[name=cpu_cores][aria-invalid=true]:focus").waitFor();
  await visitor.examine("admin-plan-refused", { phone: false });
  await dialog.getByLabel("CPU cores").fill("0.5");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });

  const chooser = await Visitor.signedIn(owner);
  await chooser.page.getByRole("link", { name: "Plans" }).click();
  await chooser.page.getByRole("columnheader", { name }).waitFor();
  await chooser.page.getByRole("rowheader", { name: "Custom domains" }).waitFor();
  await chooser.examine("plans");
  await chooser.page.getByRole("link", { name: `New app on ${name}` }).click();
  await chooser.page.getByRole("radio", { name, checked: true }).waitFor();
  await chooser.leave();

  await page.getByRole("button", { name: `Remove the plan ${name}` }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: `Edit the plan ${name}` }).waitFor({ state: "detached" });
  await visitor.leave();
});

test("a secret of the platform is set, replaced by nothing that was only typed, and removed", async () => {
  const key = "storage.s3_secret_key";
  onTestFinished(() => void admin("settings:set", `${key}=`));
  const visitor = await Visitor.signedIn(operator);
  const { page } = visitor;
  await visitor.goto("/admin/settings", "Admin");
  const field = page.locator(`input[name="${key}"]`);
  await field.fill("of-the-test");
  await page.getByRole("button", { name: "Save 1 change" }).click();
  const remove = page.getByRole("button", { name: `Remove ${key}` });
  await remove.waitFor();
  // What was typed is forgotten once what is saved was read again.
  await expect.poll(() => field.inputValue()).toBe("");
  expect(await field.getAttribute("placeholder")).toBe("There is one; another replaces it");
  await field.fill("x");
  await field.fill("");
  expect(await page.getByRole("button", { name: "Save", exact: true }).isDisabled()).toBe(true);
  await remove.click();
  await page.getByRole("button", { name: `Keep ${key}` }).click();
  expect(await page.getByRole("button", { name: "Save", exact: true }).isDisabled()).toBe(true);
  await remove.click();
  await visitor.examine("admin-settings-secret");
  await page.getByRole("button", { name: "Save 1 change" }).click();
  await remove.waitFor({ state: "detached" });
  await page.getByRole("button", { name: `Keep ${key}` }).waitFor({ state: "detached" });
  await expect.poll(() => field.getAttribute("placeholder")).toBe("Not set");
  await visitor.leave();
});

test("the queue says what waits and what failed", async () => {
  const visitor = await Visitor.signedIn(operator);
  const { page } = visitor;
  await visitor.goto("/admin/jobs", "Admin");
  await page.getByText("All", { exact: true }).waitFor();
  await visitor.examine("admin-jobs");
  await page.getByText("Failed", { exact: true }).click();
  // It does not say of which deployment, which no try can mend.
  const id = query("SELECT id FROM skypanel_jobs.add_job('report_status', payload => '{}', max_attempts => 1)");
  const row = page.getByRole("listitem").filter({ hasText: `${id} · queued` });
  await row.getByText("missing field `deployment`").waitFor();
  await row.getByText("1 of 1 tries").waitFor();
  await visitor.examine("admin-jobs-failed");
  const again = row.getByRole("button", { name: `Try again: job ${id}` });
  await again.click();
  await page.getByText(`Job ${id} is tried again.`).first().waitFor();
  const failed = `attempts = 1 AND locked_at IS NULL AND last_error LIKE '%deployment%'`;
  await expect.poll(() => query(`SELECT ${failed} FROM skypanel_jobs._private_jobs WHERE id = ${id}`)).toBe("t");
  await row.getByText("1 of 1 tries").waitFor();
  query(`UPDATE skypanel_jobs._private_jobs SET payload = '{"deployment": "${randomUUID()}"}' WHERE id = ${id}`);
  await again.click();
  await expect.poll(() => query(`SELECT count(*) FROM skypanel_jobs._private_jobs WHERE id = ${id}`)).toBe("0");
  await row.waitFor({ state: "detached" });
  await visitor.leave();
});

test("what is wrong, and is over, shows by itself to those whom it concerns", async () => {
  const organization = unique("org");
  const slug = unique("wrong");
  const owner = Person.member(organization, "owner");
  onTestFinished(() => owner.remove());
  owner.registerKey();
  owner.command(`apps:create ${slug}`);
  onTestFinished(() => owner.destroy(slug));
  const [visitor, other] = [await Visitor.signedIn(operator), await Visitor.signedIn(owner)];
  await visitor.goto("/admin/alerts", "Admin");
  await other.goto("/organizations", "Organisation");
  await other.page.getByText("Nothing is wrong now.").waitFor();
  const [node, message] = [unique("node"), unique("alert")];
  const fire = (rule: string, kind: string, name: string, severity: string, of = "NULL") =>
    query(`
      INSERT INTO paas_alerts (id, rule, subject_kind, subject, subject_name, organization_id, severity, message,
          began_at, fired_at, last_seen)
      VALUES (gen_random_uuid(), '${rule}', '${kind}', '${name}', '${name}', ${of}, '${severity}', '${message}: a ${kind}',
          now() - interval '5 minutes', now(), now())`);
  onTestFinished(() => {
    query(`DELETE FROM paas_alerts WHERE message LIKE '${message}:%'`);
  });
  const theirs = `(SELECT id FROM organizations WHERE name = '${organization}')`;
  fire("node_disk", "node", node, "critical");
  fire("node_disk", "platform", "platform", "warning");
  fire("app_crashes", "app", slug, "warning", theirs);
  fire("wallet_empty", "organization", organization, "critical", theirs);

  const alert = (of: Visitor, kind: string) =>
    of.page.getByRole("listitem").filter({ hasText: `${message}: a ${kind}` });
  await alert(visitor, "platform").getByText("the platform").waitFor();
  await alert(visitor, "node").getByRole("link", { name: node }).waitFor();
  await alert(visitor, "node").locator('[data-status="critical"]').waitFor();
  await alert(visitor, "app").getByRole("link", { name: slug }).waitFor();
  await alert(other, "app").getByText("app_crashes").waitFor();
  await alert(other, "organization").getByText(`organisation ${organization}`).waitFor();
  expect(await alert(other, "node").count(), "what is the platform's is for its admins").toBe(0);
  await visitor.examine("admin-alerts-now");
  await other.examine("organisation-alerts-now");

  query(`UPDATE paas_alerts SET resolved_at = now() WHERE message LIKE '${message}:%'`);
  for (const of of [visitor, other]) await alert(of, "app").waitFor({ state: "detached" });
  await other.page.getByText("Nothing is wrong now.").waitFor();
  for (const of of [visitor, other]) {
    await of.page.getByRole("radiogroup", { name: "Which alerts" }).getByText("Past").click();
    await alert(of, "app").getByText("ended just now").waitFor();
  }
  await visitor.examine("admin-alerts-over");
  await other.examine("organisation-alerts-over");
  await alert(other, "app").getByRole("link", { name: slug }).click();
  await other.page.getByRole("heading", { level: 1, name: slug }).waitFor();
  await visitor.leave();
  await other.leave();
});

test("who is told of alerts is added, tried, switched off and removed", async () => {
  const told: string[] = [];
  const listener = createServer((request, response) => {
    request.on("data", (piece) => told.push(String(piece)));
    request.on("end", () => response.end("Thanks"));
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const visitor = await Visitor.signedIn(operator);
  const { page } = visitor;
  await visitor.goto("/admin/alerts", "Admin");
  await visitor.examine("admin-alerts");
  await page.getByRole("button", { name: "Add a target" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Kind").selectOption("webhook");
  await dialog.getByLabel("URL").fill(`http://127.0.0.1:${port}/alerts`);
  await dialog.getByLabel("Only these rules").fill("no_such_rule");
  await visitor.examine("admin-alerts-target", { phone: false });
  await dialog.getByRole("button", { name: "Add it" }).click();
  await dialog.locator("[class*=Input-error], [role=alert]").first().waitFor();
  await dialog.getByLabel("Only these rules").fill("");
  await dialog.getByRole("button", { name: "Add it" }).click();
  await page.getByText("It is shown only once.").waitFor();
  const card = page.locator(`[data-target*="${port}"]`);
  await card.getByRole("button", { name: "Try it" }).click();
  await card.getByRole("status").waitFor();
  expect(told.join("")).toContain('"event":"test"');
  await card.getByRole("button", { name: "Messages" }).click();
  await card.getByText("A test").waitFor();
  await visitor.examine("admin-alerts-tried");
  await card.getByRole("button", { name: "More about" }).click();
  await page.getByRole("menuitem", { name: "Switch off" }).click();
  await card.getByText("switched off").waitFor();
  await card.getByRole("button", { name: "More about" }).click();
  await page.getByRole("menuitem", { name: "Remove" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await card.waitFor({ state: "detached" });
  await visitor.leave();
  listener.close();
});

test("an organisation's owner is told where a message did not get through, and its limits are an admin's", async () => {
  const organization = unique("org");
  const owner = Person.member(organization, "owner");
  onTestFinished(() => owner.remove());
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  await visitor.goto("/organizations", "Organisation");
  await page.getByText("Nothing is wrong now.").waitFor();
  await page.getByText("Nobody is told yet.").waitFor();
  await page.getByRole("button", { name: "Add a target" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("E-mail address").fill(owner.email);
  await dialog.getByRole("button", { name: "Add it" }).click();
  const card = page.locator(`[data-target="${owner.email}"]`);
  await card.getByRole("button", { name: "Try it" }).click();
  // No mail server is set up here.
  await card.locator("[role=status], [role=alert]").first().waitFor();
  await visitor.examine("organisation-alerts");
  await visitor.leave();

  const admin = await Visitor.signedIn(operator);
  await admin.goto("/admin/organizations", "Admin");
  await admin.page.getByRole("searchbox").fill(organization);
  await admin.page.getByRole("button", { name: `More about ${organization}` }).click();
  await admin.page.getByRole("menuitem", { name: "Limits" }).click();
  const limits = admin.page.getByRole("dialog");
  await limits.getByLabel("Most apps").fill("7");
  await admin.examine("admin-limits", { phone: false });
  await limits.getByRole("button", { name: "Save" }).click();
  await limits.waitFor({ state: "detached" });
  await admin.page.getByRole("button", { name: `More about ${organization}` }).click();
  await admin.page.getByRole("menuitem", { name: "Delete" }).click();
  const remove = admin.page.getByRole("dialog");
  expect(await remove.getByRole("button", { name: "Delete it" }).isDisabled()).toBe(true);
  await remove.getByLabel(`Type ${organization} to go on`).fill(organization);
  await admin.examine("admin-delete-organisation", { phone: false });
  await remove.getByRole("button", { name: "Delete it" }).click();
  await admin.page.getByText("None has this in its name.").waitFor();
  await admin.leave();
});
