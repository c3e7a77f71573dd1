import { expect, test } from "vitest";
import { failedWords, ofNow } from "./live_numbers";

const NOW_S = 1_800_000_000;
const measured = (...series: [name: string, ...points: [number, number][]][]) => ({
  to: new Date(NOW_S * 1000).toISOString(),
  series: series.map(([name, ...points]) => ({ name, points, unit: "", step_seconds: 10, max: [], p95: [] })),
});

test("the newest values of all replicas are added up", () => {
  const memory = measured(
    ["memory", [NOW_S - 20, 5], [NOW_S - 10, 7]],
    ["memory", [NOW_S - 10, 1]],
    ["cpu", [NOW_S, 9]],
  );
  expect(ofNow(memory, "memory")).toBe(8);
});

test("what ended a while ago is not of now", () => {
  expect(ofNow(measured(["cpu", [NOW_S - 300, 5]], ["cpu", [NOW_S - 10, 1]]), "cpu")).toBe(1);
  expect(ofNow(measured(["cpu", [NOW_S - 300, 5]], ["cpu"]), "cpu")).toBeUndefined();
});

test("which part of the requests fails is said without a false nothing", () => {
  const requests = (all: number, failed: number) =>
    failedWords(measured(["requests", [NOW_S, all]], ["requests_5xx", [NOW_S, failed]]));
  expect(requests(10, 0)).toBe("none of them fails");
  expect(requests(1000, 1)).toBe("less than 1 % of them fail");
  expect(requests(4, 1)).toBe("25 % of them fail");
  expect(requests(0, 0)).toBe("none in the last seconds");
  expect(failedWords(measured())).toBe("none in the last seconds");
});
