import { expect, test } from "vitest";
import { pieces, textOf } from "./ansi";

test("colours and weights become classes", () => {
  expect(pieces("\u001b[31mred\u001b[0m plain \u001b[1;32mbold green\u001b[22m green\u001b[39m.")).toEqual([
    { text: "red", classes: "ansi-1" },
    { text: " plain ", classes: "" },
    { text: "bold green", classes: "ansi-2 bold" },
    { text: " green", classes: "ansi-2" },
    { text: ".", classes: "" },
  ]);
  expect(pieces("\u001b[96mbright\u001b[m")).toEqual([{ text: "bright", classes: "ansi-6" }]);
  expect(pieces("\u001b[38;5;9mof 256\u001b[0m")).toEqual([{ text: "of 256", classes: "ansi-1" }]);
  expect(pieces("\u001b[38;2;1;2;3;4mof all\u001b[0m")).toEqual([{ text: "of all", classes: "ansi-0 underline" }]);
});

test("any colour becomes the nearest that can be read on the page, also behind the text", () => {
  const colour = (sequence: string) => pieces(`\u001b[${sequence}mtext`)[0]?.classes;
  expect(["90", "97", "38;5;8", "38;5;196", "38;5;46", "38;5;208"].map(colour)).toEqual([
    "ansi-8",
    "ansi-7",
    "ansi-8",
    "ansi-1",
    "ansi-2",
    "ansi-1",
  ]);
  expect(["38;2;255;240;0", "38;2;90;90;250", "38;2;120;120;120", "38;5;255"].map(colour)).toEqual([
    "ansi-3",
    "ansi-4",
    "ansi-8",
    "ansi-7",
  ]);
  expect(["41", "37;44", "48;5;46", "7", "31;7", "100", "41;49", "7;27"].map(colour)).toEqual([
    "ansi-on-1",
    "ansi-on-4",
    "ansi-on-2",
    "ansi-on-0",
    "ansi-on-1",
    "ansi-on-8",
    "",
    "",
  ]);
  // What comes behind such a colour counts on its own.
  expect(colour("48;2;0;0;255;1")).toBe("ansi-on-4 bold");
  expect(colour("38;5")).toBe("");
});

test("whatever else steers a terminal is dropped", () => {
  expect(textOf("\u001b]0;a title\u0007text")).toBe("text");
  expect(textOf("\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\")).toBe("link");
  expect(textOf("a\u001b[2J\u001b[10;10Hb\u001b[?25lc")).toBe("abc");
  expect(textOf("a\u0000b\u0008c\u009bd\te")).toBe("abcd\te");
  expect(textOf("turned \u202egnirts")).toBe("turned gnirts");
  expect(textOf("cut off \u001b[3")).toBe("cut off [3");
});

test("markup stays text", () => {
  expect(pieces("<img src=x onerror=alert(1)>")).toEqual([{ text: "<img src=x onerror=alert(1)>", classes: "" }]);
});
