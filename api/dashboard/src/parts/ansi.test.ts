import { expect, test } from "vitest";
import { pieces, plain } from "./ansi";

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
  expect(pieces("\u001b[38;2;1;2;3;4mof all\u001b[0m")).toEqual([{ text: "of all", classes: "underline" }]);
});

test("whatever else steers a terminal is dropped", () => {
  expect(plain("\u001b]0;a title\u0007text")).toBe("text");
  expect(plain("\u001b]8;;https://evil.example\u001b\\link\u001b]8;;\u001b\\")).toBe("link");
  expect(plain("a\u001b[2J\u001b[10;10Hb\u001b[?25lc")).toBe("abc");
  expect(plain("a\u0000b\u0008c\u009bd\te")).toBe("abcd\te");
  expect(plain("turned \u202egnirts")).toBe("turned gnirts");
  expect(plain("cut off \u001b[3")).toBe("cut off [3");
});

test("markup stays text", () => {
  expect(pieces("<img src=x onerror=alert(1)>")).toEqual([{ text: "<img src=x onerror=alert(1)>", classes: "" }]);
});
