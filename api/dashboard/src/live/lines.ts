// Lines as they come, gathered between two frames, so that a thousand a second cost no more than sixty renderings.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Line } from "../parts/log_view";

/** Most lines that a screen keeps; the oldest go first. */
export const MOST_LINES = 50_000;
const GATHER_MS = 50;

export function useLines() {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const waiting = useRef<Omit<Line, "id">[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const nextId = useRef(0);

  const add = useCallback((line: Omit<Line, "id">) => {
    waiting.current.push(line);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const added = waiting.current.map((line) => ({ ...line, id: nextId.current++ }));
      waiting.current = [];
      setLines((before) => joined(before, added));
    }, GATHER_MS);
  }, []);

  const clear = useCallback(() => {
    waiting.current = [];
    setLines([]);
  }, []);

  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  return { lines, add, clear };
}

export function joined(before: readonly Line[], added: readonly Line[], most = MOST_LINES): readonly Line[] {
  const all = before.concat(added);
  return all.length > most ? all.slice(all.length - most) : all;
}

/** Cuts text that comes in pieces into lines; the last one stays until its end has come. */
export class LineCutter {
  #rest = "";

  push(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.map(shown);
  }

  /** What has no end of line. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest ? [shown(rest)] : [];
  }
}

/** A carriage return writes over what was there. */
function shown(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.slice(text.lastIndexOf("\r") + 1);
}
