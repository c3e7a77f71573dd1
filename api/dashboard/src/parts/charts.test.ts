import { expect, test } from "vitest";
import { aligned, moment } from "./chart";
import { linesOf } from "./charts";

const series = (name: string, points: [number, number][], process?: string, replica?: number) => ({
  name,
  points,
  process: process ?? null,
  replica: replica ?? null,
  unit: "",
  step_seconds: 10,
  max: [],
  p95: [],
});

test("each replica has a line of its own, and what a chart does not show is left out", () => {
  const all = [series("memory", [[1, 5]], "web", 2), series("cpu", [[1, 1]]), series("memory_limit", [[1, 9]])];
  expect(linesOf(all, { memory: "", memory_limit: "there is" })).toEqual([
    { name: "web.2", points: [[1, 5]] },
    { name: "there is", points: [[1, 9]] },
  ]);
});

test("a time of another day is told with its day", () => {
  const now = new Date(2026, 10, 29, 0, 30);
  expect(moment(new Date(2026, 10, 29, 0, 5, 10), now)).toBe("00:05:10");
  expect(moment(new Date(2026, 10, 28, 23, 55), now)).toBe("28 Nov, 23:55");
});

test("lines that were measured at other times share them, with gaps", () => {
  const lines = linesOf(
    [
      series("a", [
        [20, 2],
        [10, 1],
      ]),
      series("b", [
        [30, 3],
        [20, 4],
      ]),
    ],
    { a: "a", b: "b" },
  );
  expect(aligned(lines)).toEqual([
    [10, 20, 30],
    [1, 2, null],
    [null, 4, 3],
  ]);
});
