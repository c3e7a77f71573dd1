import { expect, test } from "vitest";
import { problemOf } from "../api/problem";
import { csrfToken } from "../api/session";
import { bytes, money, perMonth } from "./amounts";
import { ago, lasted } from "./time";

test("times are told as people say them", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const at = (text: string) => ago(new Date(text), now);
  expect(at("2026-11-29T11:59:57Z")).toBe("just now");
  expect(at("2026-11-29T11:57:00Z")).toBe("3 minutes ago");
  expect(at("2026-11-28T12:00:00Z")).toBe("yesterday");
  expect(at("2026-12-13T12:00:00Z")).toBe("in 14 days");
  expect(lasted(1_234)).toBe("1.2 s");
  expect(lasted(72_000)).toBe("1 min 12 s");
  expect(lasted(3_725_000)).toBe("1 h 2 min");
});

test("amounts keep what makes them different", () => {
  expect(money("0.006900")).toBe("$0.0069");
  expect(money("12.5")).toBe("$12.50");
  expect(money("0")).toBe("$0.00");
  expect(perMonth("0.0069")).toBe("$5.04");
  expect(bytes(700_406)).toBe("700 KB");
  expect(bytes(1_530_000)).toBe("1.5 MB");
});

test("refusals of the API are told as they are, and others by their status", () => {
  const problem = problemOf(422, { error: "No.", code: "INVALID_INPUT", details: { fields: { slug: "Too long." } } });
  expect([problem.message, problem.code, problem.fields.slug]).toEqual(["No.", "INVALID_INPUT", "Too long."]);
  expect(problemOf(502, "<html>").message).toContain("502");
});

test("the token for writes is that of this very host", () => {
  const cookies = "skypanel_csrf=plain; __Host-skypanel_csrf=secure";
  expect(csrfToken(cookies, "http:")).toBe("plain");
  expect(csrfToken(cookies, "https:")).toBe("secure");
  expect(csrfToken("", "http:")).toBe("");
});
