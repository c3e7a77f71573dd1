import { expect, test } from "vitest";
import { closer, farther, moved, type Span } from "./span";

const hour: Span = [0, 3600];

test("a part is halved towards its end until a minute is left", () => {
  expect(closer(hour)).toEqual([1800, 3600]);
  expect(closer([3480, 3600])).toEqual([3540, 3600]);
  expect(closer([3540, 3600])).toBeUndefined();
});

test("more is shown again, within what there is", () => {
  expect(farther([2700, 3600], hour)).toEqual([1800, 3600]);
  expect(farther([0, 900], hour)).toEqual([0, 1800]);
  expect(farther([1800, 3600], hour)).toBeNull();
});

test("a part moves on by half of it, and not over the ends", () => {
  expect(moved([1800, 2400], hour, -1)).toEqual([1500, 2100]);
  expect(moved([1800, 2400], hour, 1)).toEqual([2100, 2700]);
  expect(moved([100, 700], hour, -1)).toEqual([0, 600]);
  expect(moved([0, 600], hour, -1)).toBeUndefined();
  expect(moved([3000, 3600], hour, 1)).toBeUndefined();
});
