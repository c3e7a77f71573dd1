import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { gather } from "./changes";

// The connection, which needs a browser.
vi.mock("../api/sse", () => ({ follow: () => () => {} }));

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What is read again of these keys, in the order in which it is. */
function watched(...keys: string[][]) {
  const read: string[] = [];
  const gathered = gather({
    invalidateQueries: async (filters) => {
      for (const queryKey of keys) {
        const wanted = (filters?.queryKey ?? []) as string[];
        const fits = filters?.predicate?.({ queryKey } as never) ?? wanted.every((part, at) => queryKey[at] === part);
        if (fits) read.push(queryKey.join(" "));
      }
    },
  });
  return { gathered, read };
}

test("a burst of changes has each app read again once, and all that shows several", () => {
  const { gathered, read } = watched(
    ["apps"],
    ["app", "one", "env"],
    ["app", "two"],
    ["metrics", "app", "one"],
    ["platform"],
  );
  gathered.add("one");
  gathered.add("one");
  gathered.add(null);
  expect(read).toEqual([]);
  vi.runAllTimers();
  expect(read).toEqual(["app one env", "apps"]);
});

test("the first word that something may have been missed is that of the beginning; another has all read again", () => {
  const { gathered, read } = watched(["apps"], ["app", "one"]);
  gathered.everything();
  vi.runAllTimers();
  expect(read).toEqual([]);
  gathered.everything();
  vi.runAllTimers();
  expect(read).toEqual(["apps", "app one"]);
});

test("nothing is read again for a page that is gone", () => {
  const { gathered, read } = watched(["apps"]);
  gathered.add("one");
  gathered.stop();
  vi.runAllTimers();
  expect(read).toEqual([]);
});
