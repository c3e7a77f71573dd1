// Server-sent events over fetch: unlike EventSource it renews the session, sends the last event's id after a lost
// connection, and tells how the connection stands.
import { sessionFetch } from "./client";
import { events, type ServerEvent } from "./event_stream";
import { Problem, problemOf } from "./problem";

export type Connection = "connecting" | "live" | "lost";

interface Follower {
  onEvent: (event: ServerEvent) => void;
  /** How the connection stands; with the reason where the API refused for good. */
  onConnection?: (connection: Connection, problem?: Problem) => void;
  /** An event after which nothing more comes. */
  ends?: (event: ServerEvent) => boolean;
}

/** Longest that nothing may come: the server gives a sign of life every 15 s. */
const SILENCE_MS = 40_000;
/** A tab that nobody has seen for so long gives its connection back: a browser has six of them for all tabs together. */
const UNSEEN_MS = 5_000;
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
    while (document.hidden && !signal.aborted) await wait(signal, document, "visibilitychange");
    follower.onConnection?.("connecting");
    const watch = new Watch(signal);
    try {
      const headers = new Headers({ accept: "text/event-stream" });
      if (lastId !== null) headers.set("last-event-id", lastId);
      const request = new Request(new URL(path, location.origin), { headers, signal: watch.signal });
      const response = await sessionFetch(request, fetch);
      if (!response.ok || !response.body) throw problemOf(response.status, await response.json().catch(() => null));
      follower.onConnection?.("live");
      pause = FIRST_PAUSE_MS;
      for await (const event of events(response.body, () => watch.heard())) {
        if (signal.aborted) return;
        if (event.id !== null) lastId = event.id;
        follower.onEvent(event);
        if (follower.ends?.(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429) {
        // Asking again would be answered the same; a session that ended is told of by its own dialog.
        follower.onConnection?.("lost", error);
        if (error.status !== 401) return;
      }
    } finally {
      watch.end();
    }
    if (watch.unseen) continue;
    follower.onConnection?.("lost");
    await wait(signal, window, "online", pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/** Ends one try when its follower leaves, when the network goes, when nothing came for long, or when nobody looks. */
class Watch {
  readonly #own = new AbortController();
  readonly signal = this.#own.signal;
  readonly #cut = () => this.#own.abort();
  readonly #look = () => {
    clearTimeout(this.#leave);
    if (document.hidden) this.#leave = setTimeout(this.#unseen, UNSEEN_MS);
  };
  readonly #unseen = () => {
    this.unseen = true;
    this.#cut();
  };
  #silence = setTimeout(this.#cut, SILENCE_MS);
  #leave: ReturnType<typeof setTimeout> | undefined;
  /** Whether it was ended because nobody looked. */
  unseen = false;

  constructor(readonly outer: AbortSignal) {
    outer.addEventListener("abort", this.#cut);
    window.addEventListener("offline", this.#cut);
    document.addEventListener("visibilitychange", this.#look);
  }

  heard() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(this.#cut, SILENCE_MS);
  }

  end() {
    clearTimeout(this.#silence);
    clearTimeout(this.#leave);
    this.outer.removeEventListener("abort", this.#cut);
    window.removeEventListener("offline", this.#cut);
    document.removeEventListener("visibilitychange", this.#look);
    this.#own.abort();
  }
}

/** Waits for an event, for no longer than so many milliseconds where they are told. */
function wait(signal: AbortSignal, target: EventTarget, event: string, milliseconds?: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      target.removeEventListener(event, done);
      resolve();
    };
    const timer = milliseconds === undefined ? undefined : setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
    target.addEventListener(event, done);
  });
}
