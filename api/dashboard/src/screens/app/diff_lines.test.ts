import { expect, test } from "vitest";
import { diffLines, openAtFirst } from "./diff_lines";

test("lines have the numbers they have in the file before and now", () => {
  const patch =
    "@@ -1,3 +1,3 @@ fn main\n one\n-two\n+2\n three\n@@ -10 +10,2 @@\n-+a\n++b\n+\n\\ No newline at end of file\n";
  expect(diffLines(patch)).toEqual([
    { kind: "hunk", text: "@@ -1,3 +1,3 @@ fn main" },
    { kind: "same", old: 1, now: 1, text: " one" },
    { kind: "removed", old: 2, text: "-two" },
    { kind: "added", now: 2, text: "+2" },
    { kind: "same", old: 3, now: 3, text: " three" },
    { kind: "hunk", text: "@@ -10 +10,2 @@" },
    { kind: "removed", old: 10, text: "-+a" },
    { kind: "added", now: 10, text: "++b" },
    { kind: "added", now: 11, text: "+" },
    { kind: "note", text: "\\ No newline at end of file" },
  ]);
  expect(diffLines("")).toEqual([]);
});

test("what looks like a hunk inside of a file is a line of it", () => {
  const patch = "@@ -1 +1 @@\n-@@ -9 +9 @@\n+@@ -8 +8 @@\n";
  expect(diffLines(patch).map((line) => line.kind)).toEqual(["hunk", "removed", "added"]);
});

test("only the first files are open, as long as they are short together", () => {
  expect(openAtFirst([10, 0, 30, 70, 5], 50)).toEqual([true, false, true, false, false]);
});
