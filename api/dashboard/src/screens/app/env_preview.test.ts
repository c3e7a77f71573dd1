import { expect, test } from "vitest";
import { namesOf, previewOf, previewOfChanges } from "./env_preview";

test("names are found, and nothing that only looks like one", () => {
  const text = [
    "# COMMENT=1",
    "ONE=1",
    "  export TWO = 'two'",
    'LINES="first\nINSIDE=no\n\\" still INSIDE=no\n" # OUTSIDE=no',
    "KEY='-----BEGIN\nALSO_INSIDE=no\n-----END'",
    "ONE=again",
    "lower=no",
    "NO_VALUE=",
    "not a line",
    "QUOTE=it's",
  ].join("\r\n");
  expect(namesOf(text)).toEqual(["ONE", "TWO", "LINES", "KEY", "NO_VALUE", "QUOTE"]);
});

test("a file adds, changes, and with the wish to replace removes", () => {
  expect(previewOf("A=1\nB=2", ["B", "C"], false)).toEqual({ added: ["A"], changed: ["B"], removed: [] });
  expect(previewOf("A=1\nB=2", ["B", "C"], true)).toEqual({ added: ["A"], changed: ["B"], removed: ["C"] });
  expect(previewOf("", ["C"], false)).toEqual({ added: [], changed: [], removed: [] });
});

test("single changes are told apart by what is there", () => {
  expect(previewOfChanges({ NEW: "1", OLD: null, THERE: "" }, ["OLD", "THERE"])).toEqual({
    added: ["NEW"],
    changed: ["THERE"],
    removed: ["OLD"],
  });
});
