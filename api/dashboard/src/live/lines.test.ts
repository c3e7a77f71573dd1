import { expect, test } from "vitest";
import { inPieces, joined, LineCutter, LONGEST_PIECE } from "./lines";

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

test("a line without an end goes on in the next one", () => {
  const cutter = new LineCutter();
  const long = "x".repeat(LONGEST_PIECE);
  expect(cutter.push(long)).toEqual([]);
  expect(cutter.push(`${long}y\nz\n`)).toEqual([long, long, "y", "z"]);
  let pieces = 0;
  for (let kilobyte = 0; kilobyte < 10_000; kilobyte += 1) pieces += cutter.push("x".repeat(1_000)).length;
  expect(pieces).toBe(Math.floor(10_000_000 / LONGEST_PIECE));
});

test("a character is not torn apart", () => {
  const line = `${"x".repeat(LONGEST_PIECE - 1)}😀end`;
  expect(inPieces(line)).toEqual(["x".repeat(LONGEST_PIECE - 1), "😀end"]);
});
