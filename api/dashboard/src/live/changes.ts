// One connection per tab on which the API tells what changes. What a change is about is read again where it is shown.
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Connection, follow } from "../api/sse";

interface Change {
  app: string | null;
}

/** What changes with its own app, never, or by being measured. */
const ALONE = new Set<unknown>(["app", "platform", "metrics"]);

/** Changes come in bursts, such as the stages of a deployment; they are taken together. */
const GATHER_MS = 150;

/** Keeps everything that is shown up to date for as long as it is mounted; how the connection stands. */
export function useChanges(): Connection {
  const cache = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    const gathered = gather(cache);
    const stop = follow("/api/paas/events/stream", {
      // Every try begins anew; somebody looking sees one loss.
      onConnection: (now) => setConnection((before) => (now === "connecting" && before === "lost" ? before : now)),
      onEvent: ({ name, data }) => {
        if (name === "change") gathered.add((JSON.parse(data) as Change).app);
        else gathered.everything();
      },
    });
    return () => {
      stop();
      gathered.stop();
    };
  }, [cache]);
  return connection;
}

/** Has what changes read again: what comes within a moment is taken together. */
export function gather(cache: Pick<QueryClient, "invalidateQueries">) {
  let apps = new Set<string | null>();
  let everything = false;
  let first = true;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const tell = () => {
    timer = undefined;
    const [of, all] = [apps, everything];
    apps = new Set();
    everything = false;
    if (all) return void cache.invalidateQueries();
    for (const app of of) if (app !== null) void cache.invalidateQueries({ queryKey: ["app", app] });
    void cache.invalidateQueries({ predicate: ({ queryKey }) => !ALONE.has(queryKey[0]) });
  };
  const later = () => {
    timer ??= setTimeout(tell, GATHER_MS);
  };
  return {
    add: (app: string | null) => {
      apps.add(app);
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
    stop: () => clearTimeout(timer),
  };
}
