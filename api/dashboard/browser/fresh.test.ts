// Every page of a Skypanel that nobody has used yet: `infra/dev/e2e test` runs this before all other tests.
import { afterAll, expect, onTestFinished, test } from "vitest";
import { closeBrowser, Visitor } from "./browser";
import { Person } from "./instance";

afterAll(closeBrowser);

test("every page is right on a system that has nothing yet", async () => {
  const operator = Person.admin();
  onTestFinished(() => operator.remove());
  const visitor = await Visitor.signedIn(operator);
  const { page } = visitor;
  for (const [path, words] of [
    ["/admin", "Health"],
    ["/admin/apps", "There is no app yet."],
    ["/admin/organizations", "e2e"],
    ["/admin/users", operator.email],
    ["/admin/nodes", "leader"],
    ["/admin/plans", "hobby"],
    ["/admin/billing", "e2e"],
    ["/admin/jobs", "All"],
    ["/admin/alerts", "Nothing is wrong now."],
    ["/admin/settings", "Test the connections"],
    ["/admin/audit", operator.email],
    ["/plans", "hobby"],
    ["/apps", "You have no app yet."],
    ["/organizations", "Nothing has happened yet."],
    ["/usage", "The wallet has not moved yet."],
  ] as const) {
    await visitor.goto(path);
    await page.getByText(words).first().waitFor();
    await visitor.loaded();
    await visitor.examine(`empty${path.replaceAll("/", "-")}`);
  }
  await visitor.goto("/admin", "Admin");
  const fact = (title: string) => page.locator(".card", { has: page.getByText(title, { exact: true }) });
  for (const [title, value] of [
    ["Apps", "0"],
    ["Replicas", "0"],
    ["Organisations", "2"],
    ["Users", "3"],
    ["Nodes", "1"],
    ["Deployments", "0"],
  ] as const) {
    expect(await fact(title).textContent(), title).toContain(`${title}${value}`);
  }
  await visitor.leave();
});
