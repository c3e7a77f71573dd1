import { expect, test } from "vitest";
import { problemOf } from "../api/problem";
import { csrfToken } from "../api/session";
import {
  bytes,
  cents,
  cores,
  duration,
  hourly,
  memory,
  money,
  perMinute,
  perMonth,
  perSecond,
  ram,
  short,
} from "./amounts";
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
  expect([perMonth("0.0085"), perMonth("0.0000005")]).toEqual(["$6.21", "$0.00"]);
  expect([money("0.00004"), money("-0.00004"), money("-0.069412")]).toEqual(["$0.00004", "-$0.00004", "-$0.0694"]);
  expect([cents("-0.00004"), money("123456789012345678.91")]).toEqual(["$0.00", "$123,456,789,012,345,678.91"]);
  expect([hourly("1.005"), hourly("1.5"), hourly("0.0069"), hourly("0")]).toEqual([
    "$1.005",
    "$1.50",
    "$0.0069",
    "$0.00",
  ]);
  expect([short("0.0000005"), short("12.500000"), short("10.000000"), short("100"), short(null)]).toEqual([
    "0.0000005",
    "12.5",
    "10",
    "100",
    "",
  ]);
  expect(bytes(700_406)).toBe("700 KB");
  expect(bytes(1_530_000)).toBe("1.5 MB");
  // As many as the plan of 512 MB says.
  expect(memory(512 * 1024 * 1024)).toBe("512 MB");
  expect([ram(512), ram(1024), ram(1536)]).toEqual(["512 MB", "1 GB", "1.5 GB"]);
});

test("rates and shares of a machine are as exact as they are small", () => {
  expect([cores(0.0001), cores(0.0123), cores(1), cores(1.256)]).toEqual([
    "0 cores",
    "0.012 cores",
    "1 core",
    "1.26 cores",
  ]);
  expect([perSecond(0), perSecond(0.128), perSecond(12.8)]).toEqual(["0/s", "0.13/s", "13/s"]);
  expect([duration(0.0042), duration(1.5)]).toEqual(["4 ms", "1.50 s"]);
});

test("few requests are told from none", () => {
  const told = [0, 0.02, 0.2, 9.96, 12.4, 12_345.6].map(perMinute);
  expect(told).toEqual(["0/min", "< 0.1/min", "0.2/min", "10/min", "12/min", "12,346/min"]);
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
