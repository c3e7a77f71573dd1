// What an app uses and answers at this moment, out of what was measured.
import type { Schemas } from "../../api/client";

type Measured = Pick<Schemas["MetricsAnswer"], "to" | "series">;

/** How old a measurement may be that stands for now: three of them may be missing. */
const FRESH_S = 40;

/** The newest value of that name, of all replicas together; nothing where none is of now. */
export function ofNow({ to, series }: Measured, name: string): number | undefined {
  const since = Date.parse(to) / 1000 - FRESH_S;
  const newest = series
    .filter((one) => one.name === name)
    .flatMap(({ points }) => {
      const [at = 0, value] = points.at(-1) ?? [];
      return value === undefined || at < since ? [] : [value];
    });
  return newest.length === 0 ? undefined : newest.reduce((sum, value) => sum + value, 0);
}

/** Which part of the requests of now failed in the app or before it, in words. */
export function failedWords(measured: Measured): string {
  const [all, failed] = [ofNow(measured, "requests"), ofNow(measured, "requests_5xx")];
  if (!all || failed === undefined) return "none in the last seconds";
  const share = (failed / all) * 100;
  if (share === 0) return "none of them fails";
  return `${share < 1 ? "less than 1" : Math.round(share)} % of them fail`;
}
