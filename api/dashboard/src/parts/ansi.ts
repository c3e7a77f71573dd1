// What programs write to a terminal, as pieces of text with classes. Colours and weights are understood, everything
// else that steers a terminal is dropped; nothing becomes HTML.
import { TURNING } from "../api/plain";

interface Piece {
  text: string;
  /** Classes of styles/log.css; empty for plain text. */
  classes: string;
}

interface Style {
  /** One of the eight of styles/log.css, or the grey behind them. */
  colour: number | null;
  background: number | null;
  inverse: boolean;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
}

const PLAIN: Style = {
  colour: null,
  background: null,
  inverse: false,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
};
const BLACK = 0;
const WHITE = 7;
const GREY = 8;
const ESCAPE = "\u001b";
// CSI sequences, OSC sequences up to their end, and two-character escapes.
const SEQUENCE = new RegExp(
  `${ESCAPE}(?:\\[([0-?]*)[ -/]*([@-~])|\\][^\\u0007${ESCAPE}]*(?:\\u0007|${ESCAPE}\\\\|$)|[ -/]*[0-Z\\\\^-~]|$)`,
  "g",
);
// Control characters, and those that would turn the direction of what follows.
const INVISIBLE = new RegExp(`[^\\P{Cc}\\t]|${TURNING}`, "gu");

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
export function textOf(line: string): string {
  return pieces(line)
    .map((piece) => piece.text)
    .join("");
}

function add(found: Piece[], raw: string, style: Style) {
  const text = raw.replace(INVISIBLE, "");
  if (text) found.push({ text, classes: classes(style) });
}

function classes(style: Style): string {
  // On a background text has the colour of the page, so that it can be read whatever the program thinks of.
  const [text, behind] = style.inverse
    ? [style.background, style.background === null ? (style.colour ?? BLACK) : null]
    : [style.colour, style.background];
  const names = [
    behind !== null ? `ansi-on-${behind}` : text !== null ? `ansi-${text}` : "",
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
      const [wide, colour] = extended(codes.slice(index + 1));
      style = code === 38 ? { ...style, colour } : { ...style, background: colour };
      index += wide;
    } else style = one(style, code);
  }
  return style;
}

/** How many codes tell a colour of 256 or of all, and which of ours is the nearest. */
function extended([kind, ...rest]: number[]): [codes: number, colour: number | null] {
  if (kind === 2) return [4, nearest(rest[0] ?? 0, rest[1] ?? 0, rest[2] ?? 0)];
  const of256 = rest[0];
  if (of256 === undefined) return [2, null];
  if (of256 < 16) return [2, basic(of256)];
  if (of256 < 232) {
    const cube = of256 - 16;
    const parts = [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((part) => part * 51);
    return [2, nearest(parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0)];
  }
  const grey = (of256 - 232) * 10 + 8;
  return [2, nearest(grey, grey, grey)];
}

/** Bright colours are those that are not; only bright black is one of its own. */
const basic = (colour: number): number => (colour === GREY ? GREY : colour % 8);

/** By its hue, since ours can be read on the page in both of its themes. */
function nearest(red: number, green: number, blue: number): number {
  const [least, most] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  if (most - least < 40) return most < 64 ? BLACK : most < 176 ? GREY : WHITE;
  const middle = (least + most) / 2;
  return (red > middle ? 1 : 0) + (green > middle ? 2 : 0) + (blue > middle ? 4 : 0);
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
  if (code === 7) return { ...style, inverse: true };
  if (code === 27) return { ...style, inverse: false };
  if (code === 39) return { ...style, colour: null };
  if (code === 49) return { ...style, background: null };
  if (code >= 30 && code <= 37) return { ...style, colour: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, background: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, colour: basic(code - 82) };
  if (code >= 100 && code <= 107) return { ...style, background: basic(code - 92) };
  return style;
}
