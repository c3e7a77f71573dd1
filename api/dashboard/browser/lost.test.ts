// Parts of the page that are lost on the way, as Chromium gives up what it is loading when a network changes.
import { afterAll, expect, test } from "vitest";
import { closeBrowser, Visitor } from "./browser";

afterAll(closeBrowser);

test.for([
  ["the script", "**/assets/index-*.js"],
  ["what the script imports", "**/assets/client-*.js"],
  ["the screen", "**/assets/sign_in-*.js"],
  ["the styles", "**/assets/index-*.css"],
] as const)("a page that lost %s is loaded again", async ([, lost]) => {
  const visitor = await Visitor.come();
  let losses = 0;
  await visitor.page.route(lost, (route) => {
    losses += 1;
    return losses === 1 ? route.abort("connectionreset") : route.continue();
  });
  await visitor.page.goto("/sign-in");
  await visitor.page.getByRole("button", { name: "Sign in" }).waitFor();
  const styled = () => getComputedStyle(document.documentElement).getPropertyValue("--mantine-scale") !== "";
  await visitor.page.waitForFunction(styled);
  expect(losses).toBeGreaterThan(0);
  await visitor.leave();
});

test("a page that cannot be loaded says so, and what helps", async () => {
  const visitor = await Visitor.come();
  let visits = 0;
  await visitor.page.route("**/sign-in", (route) => {
    visits += 1;
    return route.continue();
  });
  await visitor.page.route("**/assets/*.js", (route) => route.abort("connectionreset"));
  await visitor.page.goto("/sign-in");
  await visitor.page.getByRole("alert").getByText("could not be loaded").waitFor();
  expect(visits).toBe(6);
  await visitor.leave();
});
