// Text that others wrote, such as commit messages, authors, and names of keys: without what would turn its direction, or
// that of what stands beside it, so that nothing is read that is not there. Everything that the API answers goes through it.

// What overrides, embeds or isolates a direction, and control characters. Lines and tabs stay, and so does what begins a
// colour, which the log understands.
const ESCAPE = "\u001b";
/** As a part of a regular expression: what turns the direction of what follows. */
export const TURNING = "[\\u202a-\\u202e\\u2066-\\u2069]";
const MISLEADING = new RegExp(`[^\\P{Cc}\\t\\n\\r${ESCAPE}]|${TURNING}`, "gu");

export function plain(text: string): string {
  return text.replace(MISLEADING, "");
}

/** The same for every text within an answer. */
export function plainly<T>(answer: T): T {
  if (typeof answer === "string") return plain(answer) as T;
  if (Array.isArray(answer)) return (typeof answer[0] === "number" ? answer : answer.map(plainly)) as T;
  if (typeof answer !== "object" || answer === null) return answer;
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, plainly(value)])) as T;
}
