// Lines as they come, gathered between two frames, so that a thousand a second cost no more than sixty renderings.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Line } from "../parts/log_view";

/** Most lines that a screen keeps; the oldest go first. */
export const MOST_LINES = 50_000;
const GATHER_MS = 50;
/** Longest piece of a line, in characters: a row that is longer is slow to lay out, and nobody reads it. */
export const LONGEST_PIECE = 16_384;

type NewLine = Omit<Line, "id">;

export function useLines() {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const waiting = useRef<NewLine[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const nextId = useRef(0);

  const add = useCallback((line: NewLine) => {
    waiting.current.push(line);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      const added = waiting.current.map((line) => ({ ...line, id: nextId.current++ }));
      waiting.current = [];
      setLines((before) => joined(before, added));
    }, GATHER_MS);
  }, []);

  /** Puts older lines before those that are there. */
  const addBefore = useCallback((older: readonly NewLine[]) => {
    setLines((after) => {
      const first = (after[0]?.id ?? nextId.current) - older.length;
      return older.map((line, index) => ({ ...line, id: first + index })).concat(after);
    });
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
  return { lines, add, addBefore, clear };
}

export function joined(before: readonly Line[], added: readonly Line[], most = MOST_LINES): readonly Line[] {
  const all = before.concat(added);
  return all.length > most ? all.slice(all.length - most) : all;
}

/** Cuts text that comes in pieces into lines; the last one stays until its end has come, or until it is too long. */
export class LineCutter {
  #rest = "";

  push(text: string): string[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const whole = lines.flatMap((line) => inPieces(shown(line)));
    const open = inPieces(this.#rest);
    this.#rest = open.pop() ?? "";
    return whole.concat(open);
  }

  /** What has no end of line. */
  end(): string[] {
    const rest = this.#rest;
    this.#rest = "";
    return rest ? [shown(rest)] : [];
  }
}

/** A line that is too long goes on in the next one. */
export function inPieces(line: string): string[] {
  if (line.length <= LONGEST_PIECE) return [line];
  const pieces = [];
  for (let from = 0; from < line.length; ) {
    let to = from + LONGEST_PIECE;
    // Not between the halves of a character.
    if (/[\ud800-\udbff]/.test(line.charAt(to - 1))) to -= 1;
    pieces.push(line.slice(from, to));
    from = to;
  }
  return pieces;
}

/** A carriage return writes over what was there. */
function shown(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.slice(text.lastIndexOf("\r") + 1);
}
