import { expect, test } from "vitest";
import { changes, unsent } from "./draft";

test("of a form only what somebody changed is sent", () => {
  const known = { path: "/levels", retries: 3, token: "" };
  expect(changes(known, { retries: 5 })).toEqual({ retries: 5 });
  expect(changes(known, { path: " /health " })).toEqual({ path: "/health" });
  expect(changes(known, { path: "" })).toEqual({ path: "" });
  // Typed and taken back, or the same as somebody else has saved meanwhile.
  expect(changes(known, { path: "/levels ", retries: 3, token: "" })).toEqual({});
  expect(changes(known, { path: "/levels " }, true)).toEqual({ path: "/levels " });
});

test("what was typed while it was saved is not lost", () => {
  type Form = { path: string; retries: number; token: string };
  const sent: Partial<Form> = { path: "/health", retries: 5 };
  expect(unsent<Form>({ path: " /health", retries: 5 }, sent)).toEqual({});
  expect(unsent<Form>({ path: "/health", retries: 6, token: "new " }, sent)).toEqual({ retries: 6, token: "new " });
  expect(unsent<Form>({ path: "/health " }, sent, true)).toEqual({ path: "/health " });
});
