// What is read again when the API tells of a change. Changes come in bursts, such as the stages of a deployment; those of
// a moment are taken together, and while what they are about is being read, the next ones wait for that.
import type { QueryClient, QueryKey } from "@tanstack/react-query";

/** Something that changed, and whose it is: an organisation's or its app's, the person's own, or the platform's. */
export interface Change {
  of: "organization" | "user" | "admins" | "everybody";
  app: string | null;
}

const GATHER_MS = 150;
/** Longest that changes wait for what is being read. */
const READ_MS = 3_000;
/** What never changes, or by being measured. */
const ALONE = new Set<unknown>(["platform", "metrics"]);

/** Whether what was read under a key may be another now. */
export function concerns({ of, app }: Change, [about, which]: QueryKey): boolean {
  if (ALONE.has(about)) return false;
  if (of === "everybody") return true;
  if (of === "admins") return about === "admin";
  return about !== "app" || which === app;
}

/** Has what changes read again. */
export function gather(cache: Pick<QueryClient, "invalidateQueries">) {
  let changes: Change[] = [];
  let everything = false;
  let first = true;
  let reading = false;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const tell = async () => {
    timer = undefined;
    const [of, all] = [changes, everything];
    changes = [];
    everything = false;
    reading = true;
    const predicate = ({ queryKey }: { queryKey: QueryKey }) => all || of.some((change) => concerns(change, queryKey));
    await Promise.race([cache.invalidateQueries({ predicate }), pause(READ_MS)]);
    reading = false;
    if (changes.length > 0 || everything) later();
  };
  const later = () => {
    if (!reading && !stopped) timer ??= setTimeout(() => void tell(), GATHER_MS);
  };
  return {
    add: (change: Change) => {
      if (!changes.some(({ of, app }) => of === change.of && app === change.app)) changes.push(change);
      later();
    },
    everything: () => {
      // The first connection tells so as well, when everything has just been read.
      if (!first) {
        everything = true;
        later();
      }
      first = false;
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

const pause = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds));
