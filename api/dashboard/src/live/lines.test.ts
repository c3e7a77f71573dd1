import { expect, test } from "vitest";
import { joined, LineCutter } from "./lines";

test("text becomes lines, however it is cut", () => {
  const cutter = new LineCutter();
  expect(cutter.push("one\ntw")).toEqual(["one"]);
  expect(cutter.push("o\r\n10 %\r20 %\rdone\n")).toEqual(["two", "done"]);
  expect(cutter.push("no end")).toEqual([]);
  expect(cutter.end()).toEqual(["no end"]);
  expect(cutter.end()).toEqual([]);
});

test("the oldest lines go first", () => {
  const line = (id: number) => ({ id, text: String(id) });
  expect(joined([line(1), line(2)], [line(3)], 2)).toEqual([line(2), line(3)]);
  expect(joined([line(1)], [line(2)], 2)).toEqual([line(1), line(2)]);
});
