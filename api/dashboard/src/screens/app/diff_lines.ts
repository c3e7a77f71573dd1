// The lines of a file's hunks, as they are shown.

export type Kind = "hunk" | "added" | "removed" | "same" | "note";

export interface DiffLine {
  kind: Kind;
  /** Its number in the file before, and now. */
  old?: number;
  now?: number;
  text: string;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/;

/** Takes hunks of a unified diff apart; lines of a file may look like anything, so that only their place counts. */
export function diffLines(patch: string): DiffLine[] {
  const lines: DiffLine[] = [];
  let [old, now] = [0, 0];
  for (const text of patch.split("\n")) {
    const hunk = HUNK.exec(text);
    if (hunk) {
      [old, now] = [Number(hunk[1]), Number(hunk[2])];
      lines.push({ kind: "hunk", text });
    } else if (text.startsWith("+")) {
      lines.push({ kind: "added", now: now++, text });
    } else if (text.startsWith("-")) {
      lines.push({ kind: "removed", old: old++, text });
    } else if (text.startsWith(" ")) {
      lines.push({ kind: "same", old: old++, now: now++, text });
    } else if (text !== "") {
      lines.push({ kind: "note", text });
    }
  }
  return lines;
}

/** Which of files with so many lines each are open to begin with: the first ones, as long as they are short together. */
export function openAtFirst(lines: readonly number[], most: number): boolean[] {
  let sum = 0;
  return lines.map((count) => {
    sum += count;
    return count > 0 && sum <= most;
  });
}
