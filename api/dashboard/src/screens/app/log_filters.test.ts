import { expect, test } from "vitest";
import { atLine, fieldOf, filtersOf, momentOf, narrows, queryOf } from "./log_filters";

test("the address says which lines, and what makes no sense is passed over", () => {
  const search = {
    source: "router",
    level: "error",
    process: "web.1",
    text: 404,
    regex: true,
    since: "1h",
    line: "a-1",
  };
  expect(filtersOf(search)).toEqual({ ...search, text: "404" });
  expect(filtersOf({ source: "<script>", level: 7, text: "", until: null, other: "x" })).toEqual({});
});

test("the API is asked for what was chosen, and for nothing else", () => {
  expect(queryOf({})).toEqual({});
  expect(queryOf({ text: "a+b", line: "1" })).toEqual({ text: "a+b" });
  expect(queryOf({ text: "a+b", regex: true, source: "app" })).toEqual({ regex: "a+b", source: "app" });
});

test("a line to go to leaves nothing out", () => {
  expect(narrows({ line: "1", regex: true })).toBe(false);
  expect(narrows({ text: "x" })).toBe(true);
});

test("the address of a line leads to it at any later time", () => {
  expect(atLine({ since: "15m", text: "x", line: "1" }, "2")).toEqual({ text: "x", line: "2" });
  const between = { since: "2026-11-29T12:34:00.000Z", until: "2026-11-29T13:34:00.000Z" };
  expect(atLine(between, "2")).toEqual({ ...between, line: "2" });
  expect(atLine({ since: "1h", line: "1" }, undefined)).toEqual({});
});

test("moments go into fields of the browser's own time and back", () => {
  expect(momentOf(fieldOf("2026-11-29T12:34:00.000Z"))).toBe("2026-11-29T12:34:00.000Z");
  expect([fieldOf("15m"), fieldOf(undefined), momentOf(""), momentOf("x")]).toEqual(["", "", undefined, undefined]);
});
