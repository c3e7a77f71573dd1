// Parts of a time that charts show: closer, farther, earlier, later. All in seconds since 1970.

/** From a moment to another. */
export type Span = [from: number, to: number];

/** Shortest that is shown: a handful of measurements. */
const SHORTEST_S = 60;
/** How much of a part is still in sight when it is moved on. */
const STEP = 0.5;

/** The half of it that is nearest to its end, where most look; nothing where it is short already. */
export function closer([from, to]: Span): Span | undefined {
  const half = (to - from) / 2;
  return half < SHORTEST_S ? undefined : [to - half, to];
}

/** Twice of it within the whole; with null all of that. */
export function farther([from, to]: Span, whole: Span): Span | null {
  const length = (to - from) * 2;
  if (length >= whole[1] - whole[0]) return null;
  return within([to - length, to], whole);
}

/** The part before it or behind it; nothing where there is none. */
export function moved([from, to]: Span, whole: Span, direction: -1 | 1): Span | undefined {
  const by = (to - from) * STEP * direction;
  const next = within([from + by, to + by], whole);
  return next[0] === from ? undefined : next;
}

function within([from, to]: Span, whole: Span): Span {
  const over = Math.min(0, from - whole[0]) + Math.max(0, to - whole[1]);
  return [from - over, to - over];
}
