import { expect, test } from "vitest";
import { beside } from "./log_view";

test("the neighbour of a line in several rows is another line", () => {
  const lines = ["a", "long", "long", "long", "b"].map((cursor, id) => ({ id, text: "", cursor }));
  expect(beside(lines, "long", 1)).toBe(4);
  expect(beside(lines, "long", -1)).toBe(0);
  expect(beside(lines, "b", -1)).toBe(3);
  expect([lines[beside(lines, "b", 1)], lines[beside(lines, "a", -1)]]).toEqual([undefined, undefined]);
  expect([beside(lines, undefined, 1), beside(lines, "gone", 1)]).toEqual([-1, -1]);
});
