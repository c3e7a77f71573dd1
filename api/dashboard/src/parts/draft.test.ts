import { expect, test } from "vitest";
import { changes } from "./draft";

test("of a form only what somebody changed is sent", () => {
  const known = { path: "/levels", retries: 3, token: "" };
  expect(changes(known, { retries: 5 })).toEqual({ retries: 5 });
  expect(changes(known, { path: " /health " })).toEqual({ path: "/health" });
  expect(changes(known, { path: "" })).toEqual({ path: "" });
  // Typed and taken back, or the same as somebody else has saved meanwhile.
  expect(changes(known, { path: "/levels ", retries: 3, token: "" })).toEqual({});
});
