// What programs write to a terminal, as pieces of text with classes. Colours and weights are understood, everything
// else that steers a terminal is dropped; nothing becomes HTML.

export interface Piece {
  text: string;
  /** Classes of theme.css; empty for plain text. */
  classes: string;
}

interface Style {
  colour: number | null;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
}

const PLAIN: Style = { colour: null, bold: false, faint: false, italic: false, underline: false };
const ESCAPE = "\u001b";
// CSI sequences, OSC sequences up to their end, and two-character escapes.
const SEQUENCE = new RegExp(
  `${ESCAPE}(?:\\[([0-?]*)[ -/]*([@-~])|\\][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\|$)|[ -/]*[0-Z\\\\^-~]|$)`,
  "g",
);
// Control characters, and those that would turn the direction of what follows.
const INVISIBLE = /[^\P{Cc}\t]|[\u202a-\u202e\u2066-\u2069]/gu;

/** The pieces of a line. */
export function pieces(line: string): Piece[] {
  if (!line.includes(ESCAPE)) {
    const text = line.replace(INVISIBLE, "");
    return text ? [{ text, classes: "" }] : [];
  }
  const found: Piece[] = [];
  let style = PLAIN;
  let from = 0;
  for (const match of line.matchAll(SEQUENCE)) {
    add(found, line.slice(from, match.index), style);
    from = match.index + match[0].length;
    if (match[2] === "m") style = styled(style, match[1] ?? "");
  }
  add(found, line.slice(from), style);
  return found;
}

/** A line without anything but its text. */
export function plain(line: string): string {
  return pieces(line)
    .map((piece) => piece.text)
    .join("");
}

function add(found: Piece[], raw: string, style: Style) {
  const text = raw.replace(INVISIBLE, "");
  if (text) found.push({ text, classes: classes(style) });
}

function classes(style: Style): string {
  const names = [
    style.colour === null ? "" : `ansi-${style.colour}`,
    style.bold ? "bold" : "",
    style.faint ? "faint" : "",
    style.italic ? "italic" : "",
    style.underline ? "underline" : "",
  ];
  return names.filter(Boolean).join(" ");
}

function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let style = before;
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 38 || code === 48) {
      // A colour of 256, or of all: only the first eight have a class, so that others stay plain.
      const wide = codes[index + 1] === 2 ? 4 : 2;
      const colour = codes[index + 2];
      if (code === 38)
        style = { ...style, colour: wide === 2 && colour !== undefined && colour < 16 ? colour % 8 : null };
      index += wide;
    } else style = one(style, code);
  }
  return style;
}

function one(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, faint: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, faint: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 39) return { ...style, colour: null };
  if (code >= 30 && code <= 37) return { ...style, colour: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, colour: code - 90 };
  return style;
}
