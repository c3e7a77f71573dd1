// The terminal of the console, fetched when one is opened. xterm.js writes style elements and style attributes, which the
// content policy forbids; while a terminal is open, they become style sheets and properties that script sets, which it allows.
import "@xterm/xterm/css/xterm.css";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

interface Screen {
  columns: number;
  rows: number;
  write: (bytes: Uint8Array) => void;
  focus: () => void;
  /** Nothing is written or typed any more; what was written stays. */
  end: () => void;
  close: () => void;
}

interface Events {
  onInput: (bytes: Uint8Array) => void;
  onSize: (columns: number, rows: number) => void;
}

const LINES_BEFORE = 10_000;

/** Draws a terminal into `place`, in the colours of the page. */
export function openScreen(place: HTMLElement, { onInput, onSize }: Events): Screen {
  const restore = allowStyles(document);
  const terminal = new Terminal({
    cursorBlink: false,
    fontFamily: getComputedStyle(place).fontFamily,
    fontSize: 14,
    scrollback: LINES_BEFORE,
    theme: colours(place),
    // Its links would be opened without a question.
    linkHandler: { activate: () => {} },
    screenReaderMode: true,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();
  // Whoever works with keys comes in with Tab, and must come out again: the process gets Tab, but not after Escape.
  let before = "";
  terminal.attachCustomKeyEventHandler(({ type, key }) => {
    if (type !== "keydown" || key === "Shift") return true;
    const leaves = key === "Tab" && (terminal.options.disableStdin || before === "Escape");
    before = key;
    return !leaves;
  });
  const encoder = new TextEncoder();
  terminal.onData((text) => onInput(encoder.encode(text)));
  terminal.onBinary((text) => onInput(Uint8Array.from(text, (char) => char.charCodeAt(0))));
  terminal.onResize(({ cols, rows }) => onSize(cols, rows));
  const recoloured = new MutationObserver(() => {
    terminal.options.theme = colours(place);
  });
  recoloured.observe(document.documentElement, { attributeFilter: ["data-mantine-color-scheme"] });
  const resized = new ResizeObserver(() => fit.fit());
  resized.observe(place);
  return {
    columns: terminal.cols,
    rows: terminal.rows,
    write: (bytes) => terminal.write(bytes),
    focus: () => terminal.focus(),
    end: () => {
      terminal.options.disableStdin = true;
    },
    close: () => {
      resized.disconnect();
      recoloured.disconnect();
      terminal.dispose();
      restore();
    },
  };
}

function colours(place: HTMLElement) {
  const style = getComputedStyle(place);
  const of = (name: string) => style.getPropertyValue(name).trim();
  const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
  const ansi = Object.fromEntries(names.map((name, index) => [name, of(`--ansi-${index}`)]));
  return {
    background: of("--log-background"),
    foreground: of("--mantine-color-text"),
    cursor: of("--mantine-color-text"),
    selectionBackground: of("--mantine-primary-color-light-hover"),
    ...ansi,
  };
}

/** Has what would be a style element or attribute done in the ways that the content policy allows, until it is undone. */
function allowStyles(document: Document): () => void {
  const sheets: CSSStyleSheet[] = [];
  // What it reaches is the document itself, whatever other one it is given. Others make no style elements.
  document.createElement = (name: string, options?: ElementCreationOptions) => {
    const make = Document.prototype.createElement;
    if (name !== "style") {
      const element = make.call(document, name, options);
      if (name === "span") element.setAttribute = setAttribute;
      return element;
    }
    const sheet = new CSSStyleSheet();
    sheets.push(sheet);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const element = make.call(document, "template");
    return Object.defineProperty(element, "textContent", { set: (text: string) => sheet.replaceSync(text) });
  };
  return () => {
    Reflect.deleteProperty(document, "createElement");
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => !sheets.includes(one));
  };
}

function setAttribute(this: HTMLElement, name: string, value: string) {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
}
