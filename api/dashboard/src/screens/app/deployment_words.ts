// Deployments in words.
import type { Schemas } from "../../api/client";

type Item = Schemas["DeploymentItem"];

/** Who or what made it: the commit's author, or the person who asked. */
export function who(one: Item): string {
  const author = one.git_author?.replace(/\s*<[^>]*>\s*$/, "");
  return one.created_by ?? author ?? "a webhook";
}

/** What it is about, in a line. */
export function about(one: Item): string {
  if (one.trigger === "rollback" && one.parent_version) return `Rollback to v${one.parent_version}`;
  const first = one.git_message?.split("\n")[0]?.trim();
  if (one.trigger === "config") return one.description ?? "Config vars changed";
  return first || one.description || "Deployment";
}

/** A commit's hash, as far as people read it. */
export const shortHash = (hash: string) => hash.slice(0, 10);

const ENDED = new Set<Item["status"]>(["succeeded", "failed", "cancelled"]);

export const hasEnded = (one: Item) => ENDED.has(one.status);

/** The state as a person says it: of those that went live one is live now. */
export function stateOf(one: Item): { of: string; words?: string } {
  if (one.is_current) return { of: "running", words: "live" };
  if (one.status === "succeeded") return { of: "inactive", words: "was live" };
  return { of: one.status };
}

/** Whether it can be gone back to: it went live once, is kept, and does not run now. */
export const canRunAgain = (one: Item) => one.is_kept && !one.is_current && hasEnded(one);

/** The newest release before the one that runs that can be gone back to; of the newest first. */
export function releaseBefore(newestFirst: readonly Item[]): Item | undefined {
  const current = newestFirst.findIndex((one) => one.is_current);
  return current < 0 ? undefined : newestFirst.slice(current + 1).find(canRunAgain);
}

/** How a stage stands that has not begun, of it and those behind it: what comes before another that has begun is left out. */
export function unbegun(one: Schemas["DeploymentAnswer"], fromIt: readonly Schemas["Stage"][]): string {
  if (!hasEnded(one)) return "waits";
  const isLeftOut = one.status === "succeeded" || one.stages.some(({ stage }) => fromIt.includes(stage));
  return isLeftOut ? "not needed" : "not reached";
}
