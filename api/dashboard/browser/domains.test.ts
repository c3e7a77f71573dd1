// A domain from its first record to its first answer, against a name server of the test's own.
import { afterAll, beforeAll, expect, test } from "vitest";
import { TALKING } from "./apps";
import { closeBrowser, SOON_MS, Visitor } from "./browser";
import { NameServer } from "./dns";
import { admin, Person, query, unique, visit } from "./instance";

const slug = unique("named");
let owner: Person;
let names: NameServer;

beforeAll(async () => {
  names = await NameServer.start();
  admin("settings:set", `dns.resolver=${names.address}`);
  owner = Person.member(unique("org"), "owner");
  owner.deploy(slug, TALKING);
});

afterAll(async () => {
  admin("settings:set", "dns.resolver=");
  names.stop();
  await closeBrowser();
  owner.destroy(slug);
  owner.remove();
});

test("a domain is verified by the records that the page says, and answers", async () => {
  const visitor = await Visitor.signedIn(owner);
  const { page } = visitor;
  const domain = `www.${slug}.example.com`;
  await visitor.goto(`/apps/${slug}/domains`);
  await page.getByLabel("Add a domain").fill(domain);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const card = page.getByRole("region", { name: domain });
  await card.locator('[data-status="pending"]').waitFor();
  await card.getByRole("button", { name: "Verify now" }).click();
  await page.getByText("The DNS records are not right yet").first().waitFor();
  await visitor.examine("domain-pending");

  // What it asks for is what is set.
  const rows = await card
    .locator("tbody tr")
    .evaluateAll((rows) =>
      rows.map((row) => [
        row.querySelector("td")?.textContent ?? "",
        ...[...row.querySelectorAll("code")].map((code) => code.textContent ?? ""),
      ]),
    );
  for (const [type, name, value] of rows) {
    if (type === "TXT" || type === "CNAME") names.set(type, name ?? "", value ?? "");
  }
  // It is looked at by itself, which is now and not in some minutes; nor is the edge asked meanwhile for a certificate.
  query(`UPDATE paas_domains SET next_check_at = now(), ssl_checked_at = now() WHERE domain = '${domain}'`);
  query("SELECT FROM skypanel_jobs.add_job('check_domains', payload => '{}')");
  await card.locator('[data-status="active"]').waitFor({ timeout: 2 * SOON_MS });
  await card.getByText("The DNS records are not right yet").waitFor({ state: "detached" });
  await visitor.examine("domain-active");
  await expect.poll(async () => (await visit(slug, "/", domain)).text, { timeout: 4 * SOON_MS }).toBe("Hello");

  // What the edge came to serve is told as it is noted.
  const certificate = (values: string) => query(`UPDATE paas_domains SET ${values} WHERE domain = '${domain}'`);
  certificate("ssl_status = 'failed', ssl_problem = 'The authority was not let in.'");
  await card.getByText("The authority was not let in.").waitFor();
  await card.getByText("Certificate: failed.").waitFor();
  await visitor.examine("domain-without-certificate");
  certificate("ssl_status = 'active', ssl_problem = NULL, ssl_cert_expires_at = now() + interval '20 days 1 hour'");
  await card.getByText("Certificate: active, ends in 20 days.").waitFor();
  await card.getByText("The authority was not let in.").waitFor({ state: "detached" });
  await visitor.examine("domain-with-certificate");
  await visitor.leave();
});
