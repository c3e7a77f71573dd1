// What a line of the audit log says was changed, in one line.

/** Longest that is told of one change, in characters; the API has the rest. */
const LONGEST = 200;

/** `before` and `after` are as the API has them: objects as a rule, null for what is new or gone. */
export function changeWords(before: unknown, after: unknown): string {
  const [was, is] = [fields(before), fields(after)];
  const words = [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .filter((key) => value(was[key]) !== value(is[key]))
    .map((key) => {
      const [from, to] = [value(was[key]), value(is[key])];
      if (after === null) return `${key} was ${from}`;
      return from === "" ? `${key} ${to}` : `${key} ${from} → ${to || "none"}`;
    })
    .join(", ");
  return words.length > LONGEST ? `${words.slice(0, LONGEST - 1)}…` : words;
}

/** What is no object is told as such, without a name. */
function fields(side: unknown): Record<string, unknown> {
  if (side === null || side === undefined) return {};
  return typeof side === "object" && !Array.isArray(side) ? (side as Record<string, unknown>) : { "": side };
}

function value(one: unknown): string {
  if (one === null || one === undefined) return "";
  return typeof one === "string" ? one : JSON.stringify(one);
}
