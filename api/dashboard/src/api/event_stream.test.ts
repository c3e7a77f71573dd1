import { expect, test } from "vitest";
import { EventParser, events } from "./event_stream";

const parsed = (...texts: string[]) => {
  const parser = new EventParser();
  return texts.flatMap((text) => [...parser.push(text)]);
};

test("events are told once they are whole, however they are cut", () => {
  const whole = 'id: 7\nevent: output\ndata: {"text":"a"}\n\n: heartbeat\n\ndata: b\ndata: c\n\n';
  const expected = [
    { name: "output", data: '{"text":"a"}', id: "7" },
    { name: "message", data: "b\nc", id: null },
  ];
  expect(parsed(whole)).toEqual(expected);
  expect(parsed(...whole)).toEqual(expected);
  expect(parsed(whole.replaceAll("\n", "\r\n"))).toEqual(expected);
});

test("what is not whole is not told", () => {
  expect(parsed("data: a\n")).toEqual([]);
  expect(parsed("event: end\n\n")).toEqual([]);
});

test("a character that is cut is put together", async () => {
  const bytes = new TextEncoder().encode("data: grün\n\n");
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  const found = [];
  for await (const event of events(body)) found.push(event.data);
  expect(found).toEqual(["grün"]);
});
