// Server-sent events over fetch: unlike EventSource it renews the session, sends the last event's id after a lost
// connection, and tells how the connection stands.
import { sessionFetch } from "./client";
import { events, type ServerEvent } from "./event_stream";
import { Problem, problemOf } from "./problem";

export type Connection = "connecting" | "live" | "lost";

export interface Follower {
  onEvent: (event: ServerEvent) => void;
  /** How the connection stands; with the reason where the API refused for good. */
  onConnection?: (connection: Connection, problem?: Problem) => void;
  /** An event after which nothing more comes. */
  ends?: (event: ServerEvent) => boolean;
  /** Whether a stream that the server closed is to be opened again; yes without. */
  again?: boolean;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** Follows a stream until the returned function is called. */
export function follow(path: string, follower: Follower): () => void {
  const stop = new AbortController();
  void run(path, follower, stop.signal);
  return () => stop.abort();
}

async function run(path: string, follower: Follower, signal: AbortSignal) {
  let lastId: string | null = null;
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    follower.onConnection?.("connecting");
    try {
      const headers = new Headers({ accept: "text/event-stream" });
      if (lastId !== null) headers.set("last-event-id", lastId);
      const response = await sessionFetch(new Request(new URL(path, location.origin), { headers, signal }));
      if (!response.ok || !response.body) throw problemOf(response.status, await response.json().catch(() => null));
      follower.onConnection?.("live");
      pause = FIRST_PAUSE_MS;
      for await (const event of events(response.body)) {
        if (signal.aborted) return;
        if (event.id !== null) lastId = event.id;
        follower.onEvent(event);
        if (follower.ends?.(event)) return;
      }
      if (follower.again === false) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429) {
        // Asking again would be answered the same; a session that ended is told of by its own dialog.
        follower.onConnection?.("lost", error);
        if (error.status !== 401) return;
      }
    }
    follower.onConnection?.("lost");
    await wait(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
