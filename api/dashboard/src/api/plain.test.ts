import { expect, test } from "vitest";
import { plain, plainly } from "./plain";

test("text of others turns nothing around", () => {
  expect(plain("Fix \u202Eyap\u202C\u2066 it\u2069\u0000\u0007")).toBe("Fix yap it");
  expect(plain("two\nlines\tand \u001b[31mred\u001b[0m")).toBe("two\nlines\tand \u001b[31mred\u001b[0m");
  // Scripts that run from right to left are nothing bad.
  expect(plain("\u05E9\u05DC\u05D5\u05DD")).toBe("\u05E9\u05DC\u05D5\u05DD");
});

test("nothing of an answer is left out", () => {
  const answer = { name: "a\u202Eb", items: [{ text: "\u2067x", at: null, number: 1 }], values: [[1, 2]], ok: true };
  expect(plainly(answer)).toEqual({
    name: "ab",
    items: [{ text: "x", at: null, number: 1 }],
    values: [[1, 2]],
    ok: true,
  });
  expect(plainly(undefined)).toBeUndefined();
});
