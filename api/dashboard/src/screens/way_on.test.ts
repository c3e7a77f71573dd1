import { expect, test } from "vitest";
import { wayOn } from "./way_on";

test("a sign-in leads on to pages of the dashboard alone", () => {
  expect(wayOn("/apps/mine/logs?level=error")).toBe("/apps/mine/logs?level=error");
  expect([undefined, "", "https://evil.example", "//evil.example", "/\\evil.example"].map(wayOn)).toEqual(
    Array(5).fill("/apps"),
  );
});
