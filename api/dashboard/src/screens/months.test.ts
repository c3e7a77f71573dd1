import { expect, test } from "vitest";
import { months } from "./months";

test("months are counted back over the turn of a year, from whichever day", () => {
  const year = ["2026-03", "2026-02", "2026-01", "2025-12", "2025-11", "2025-10", "2025-09", "2025-08"];
  // A month back from the 31st is not a day that the month before does not have.
  expect(months(new Date("2026-03-31T23:59:59Z")).slice(0, 8)).toEqual(year);
  expect(months(new Date("2026-03-31T23:59:59Z"))).toHaveLength(12);
});

test("months are those of UTC, wherever the browser is", () => {
  expect(months(new Date("2026-01-01T01:30:00+02:00"))[0]).toBe("2025-12");
  expect(months(new Date("2025-12-31T23:30:00-02:00"))[0]).toBe("2026-01");
});
