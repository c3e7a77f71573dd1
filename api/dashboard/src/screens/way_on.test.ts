import { expect, test } from "vitest";
import { wayOn } from "./way_on";

test("a sign-in leads on to pages of the dashboard alone", () => {
  expect(wayOn("/apps/mine/logs?level=error")).toBe("/apps/mine/logs?level=error");
  const others = [
    undefined,
    "",
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "\n//evil.example",
    "/\r\n/evil.example",
    "/apps\u0000",
  ];
  expect(others.map(wayOn)).toEqual(others.map(() => "/apps"));
});
