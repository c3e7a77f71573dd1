// How many requests an app gets, beside its name in a list.
import { perMinute } from "./amounts";

/** Requests a minute by the id of the app; one of which nothing is measured is not there. */
export type RequestsByApp = Record<string, number>;

export function PerMinute({ of }: { of: number | undefined }) {
  if (of === undefined) return <span title="Nothing was measured of it within the last five minutes.">–</span>;
  return <span title="As a mean over the last five minutes.">{perMinute(of)}</span>;
}
