// The lines of an app's log on the screen: those that are kept, page by page in either direction, and those that come.
import { useCallback, useEffect, useRef, useState } from "react";
import { api, data, type Schemas } from "../../api/client";
import { Problem, unreachable } from "../../api/problem";
import { type Connection, follow } from "../../api/sse";
import { inPieces, MOST_LINES, useLines } from "../../live/lines";
import type { Line } from "../../parts/log_view";
import { type LogFilters, queryOf } from "./log_filters";

/** Lines of a page, and those from before that are shown at first. */
const PAGE = 1_000;
/** Lines before one that is gone to. */
const AROUND = 200;

type Item = Schemas["LogItem"];

/** Where a page of what is kept stands. */
interface Ends {
  /** Whether there may be older lines than those that are shown, or newer ones that do not come by themselves. */
  older: boolean;
  newer: boolean;
}

interface LogLines {
  lines: readonly Line[];
  ends: Ends;
  connection: Connection | "ended";
  /** What the API wants to be known about these lines. */
  notice: string | null;
  problem: Problem | null;
  /** Reads all of it once more, after a problem. */
  again: () => void;
  /** Which end is being read. */
  reading: "older" | "newer" | "first" | null;
  readOlder: () => void;
  readNewer: () => void;
}

/** `opened` is the cursor of a line to begin at; without, and without an end, new lines come as they are written. */
export function useLogLines(slug: string, filters: LogFilters, opened: string | undefined): LogLines {
  const { lines, add, addBefore, clear } = useLines();
  const [connection, setConnection] = useState<Connection | "ended">("connecting");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [notice, setNotice] = useState<string | null>(null);
  const [ends, setEnds] = useState<Ends>({ older: true, newer: false });
  const [tries, setTries] = useState(0);
  const [reading, setReading] = useState<LogLines["reading"]>(null);
  const busy = useRef(false);
  // Ends with what is looked at: what was asked for it then comes to nothing.
  const view = useRef(new AbortController());
  const asked = JSON.stringify(queryOf(filters));
  const past = opened !== undefined || filters.until !== undefined;

  const page = useCallback(
    async (more: { cursor?: string; direction: "backward" | "forward"; lines: number }, signal: AbortSignal) => {
      const query = { ...(JSON.parse(asked) as object), ...more };
      const answer = await data(
        api.GET("/api/paas/apps/{app}/logs", { params: { path: { app: slug }, query }, signal }),
      );
      signal.throwIfAborted();
      if (answer.notice) setNotice(answer.notice);
      return answer;
    },
    [slug, asked],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: another try begins anew
  useEffect(() => {
    const stop = new AbortController();
    view.current = stop;
    clear();
    setProblem(null);
    setNotice(null);
    setEnds({ older: true, newer: false });
    busy.current = false;
    if (!past) {
      const query = new URLSearchParams({ ...(JSON.parse(asked) as Record<string, string>), lines: String(PAGE) });
      setReading(null);
      const leave = follow(`/api/paas/apps/${encodeURIComponent(slug)}/logs/stream?${query}`, {
        onConnection: (connection, problem) => {
          setConnection(connection);
          if (problem) setProblem(problem);
        },
        onEvent: (event) => {
          const told = JSON.parse(event.data) as unknown;
          if (event.name === "message") for (const line of shown(told as Item)) add(line);
          if (event.name === "notice") setNotice((told as { text: string }).text);
        },
      });
      stop.signal.addEventListener("abort", leave);
      return () => stop.abort();
    }
    setConnection("ended");
    setReading("first");
    const read = async () => {
      if (opened === undefined) {
        const newest = await page({ direction: "backward", lines: PAGE }, stop.signal);
        return { items: newest.items, older: Boolean(newest.next_cursor), newer: false };
      }
      const before = await page({ cursor: opened, direction: "backward", lines: AROUND }, stop.signal);
      // Behind the last of these the line itself is the first.
      const last = before.items.at(-1)?.cursor;
      const after = await page({ ...(last ? { cursor: last } : {}), direction: "forward", lines: PAGE }, stop.signal);
      return {
        items: [...before.items, ...after.items],
        older: Boolean(before.next_cursor),
        newer: Boolean(after.next_cursor),
      };
    };
    read()
      .then(({ items, ...found }) => {
        for (const line of items.flatMap(shown)) add(line);
        setEnds(found);
      })
      .catch((error) => stop.signal.aborted || setProblem(asProblem(error)))
      .finally(() => stop.signal.aborted || setReading(null));
    return () => stop.abort();
  }, [slug, asked, past, opened, add, clear, page, tries]);

  const more = useCallback(
    async (which: "older" | "newer") => {
      const edge = which === "older" ? lines[0]?.cursor : lines.at(-1)?.cursor;
      // More than fit would push out what is being read.
      if (busy.current || !ends[which] || !edge || lines.length >= MOST_LINES) return;
      const { signal } = view.current;
      busy.current = true;
      setReading(which);
      try {
        const direction = which === "older" ? "backward" : "forward";
        const { items, next_cursor } = await page({ cursor: edge, direction, lines: PAGE }, signal);
        setProblem(null);
        const room = MOST_LINES - lines.length;
        const found = items.flatMap(shown);
        if (which === "older") addBefore(found.slice(-room));
        else for (const line of found.slice(0, room)) add(line);
        setEnds((before) => ({ ...before, [which]: Boolean(next_cursor) }));
      } catch (error) {
        if (!signal.aborted) setProblem(asProblem(error));
      }
      if (signal.aborted) return;
      busy.current = false;
      setReading(null);
    },
    [lines, ends, page, add, addBefore],
  );

  return {
    lines,
    ends,
    connection,
    notice,
    problem,
    again: useCallback(() => setTries((before) => before + 1), []),
    reading,
    readOlder: useCallback(() => void more("older"), [more]),
    readNewer: useCallback(() => void more("newer"), [more]),
  };
}

function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : unreachable();
}

/** A line of the API as lines of the screen: one, unless it is too long. */
function shown({ text, at, process, level, cursor }: Item): Omit<Line, "id">[] {
  return inPieces(text).map((piece) => ({ text: piece, at, process, level, cursor }));
}
