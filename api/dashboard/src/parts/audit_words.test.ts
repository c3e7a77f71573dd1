import { expect, test } from "vitest";
import { changeWords } from "./audit_words";

test("only what became another is told, and what it was", () => {
  const before = { role: "viewer", email: "a@b.test", limit: null };
  expect(changeWords(before, { ...before, role: "owner" })).toBe("role viewer → owner");
  expect(changeWords(before, { ...before, limit: 3 })).toBe("limit 3");
  expect(changeWords({ limit: 3 }, { limit: null })).toBe("limit 3 → none");
  expect(changeWords(before, before)).toBe("");
});

test("new and gone things are told by what they are or were", () => {
  expect(changeWords(null, { web: 2, types: ["web"] })).toBe('web 2, types ["web"]');
  expect(changeWords({ name: "shop.test" }, null)).toBe("name was shop.test");
  expect(changeWords(null, null)).toBe("");
});

test("what is long is cut", () => {
  expect(changeWords(null, { note: "x".repeat(500) })).toHaveLength(200);
});
