import { expect, test } from "vitest";
import { statesOf } from "./app_filters";

test("a state that is looked for stays a choice when no app is in it any more", () => {
  const apps = [{ status: "running" }, { status: "inactive" }, { status: "running" }] as const;
  expect(statesOf(apps, "")).toEqual(["inactive", "running"]);
  expect(statesOf(apps, "building")).toEqual(["building", "inactive", "running"]);
});
