import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Schemas } from "../api/client";
import { changesQuery } from "../api/queries";
import { type Change, concerns, gather } from "./gather";

// What is read is addressed by the page.
vi.hoisted(() => vi.stubGlobal("location", { origin: "http://skypanel.test" }));
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const ofOrganization = (app: string | null): Change => ({ of: "organization", app });

/** What is read again of these keys, in the order in which it is. */
function watched(...keys: string[][]) {
  const read: string[] = [];
  const gathered = gather({
    invalidateQueries: async (filters) => {
      for (const queryKey of keys) if (filters?.predicate?.({ queryKey } as never)) read.push(queryKey.join(" "));
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
  gathered.add(ofOrganization("one"));
  gathered.add(ofOrganization("one"));
  gathered.add(ofOrganization(null));
  expect(read).toEqual([]);
  vi.runAllTimers();
  expect(read).toEqual(["apps", "app one env"]);
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
  gathered.add(ofOrganization("one"));
  gathered.stop();
  vi.runAllTimers();
  expect(read).toEqual([]);
});

test("what is read again is what may be another", () => {
  const keys = [
    ["me"],
    ["plans"],
    ["organizations", "1", "wallet"],
    ["app", "shop", "env"],
    ["app", "blog"],
    ["admin", "audit"],
    ["platform"],
    ["metrics", "app", "shop"],
  ];
  const again = (of: Change["of"], app: string | null = null) =>
    keys.filter((key) => concerns({ of, app }, key)).map((key) => key.slice(0, 2).join(" "));
  expect(again("organization", "shop")).toEqual(["me", "plans", "organizations 1", "app shop", "admin audit"]);
  expect(again("organization")).toEqual(["me", "plans", "organizations 1", "admin audit"]);
  expect(again("user")).toEqual(["me", "plans", "organizations 1", "admin audit"]);
  expect(again("everybody")).toEqual(["me", "plans", "organizations 1", "app shop", "app blog", "admin audit"]);
  expect(again("admins")).toEqual(["admin audit"]);
});

test("what a deployment changes is read until it is known, and then never again", async () => {
  const cache = new QueryClient();
  let known = false;
  let asked = 0;
  const queryFn = async () => {
    asked += 1;
    return (known ? { changes: {} } : { missing: "not_yet" }) as Schemas["DeploymentChanges"];
  };
  const leave = new QueryObserver(cache, { ...changesQuery("shop", "1"), queryFn, refetchInterval: false }).subscribe(
    () => {},
  );
  const gathered = gather(cache);
  gathered.everything();
  const told = async () => {
    gathered.add(ofOrganization("shop"));
    gathered.everything();
    await vi.advanceTimersByTimeAsync(1_000);
  };
  await told();
  expect(asked).toBe(2);
  known = true;
  await told();
  expect(asked).toBe(3);
  await told();
  expect(asked).toBe(3);
  gathered.stop();
  leave();
});

test("changes that never end do not keep a slow answer from being shown", async () => {
  const cache = new QueryClient();
  let asked = 0;
  const queryFn = ({ signal }: { signal: AbortSignal }) => {
    asked += 1;
    return new Promise<number>((answer, fail) => {
      setTimeout(() => answer(asked), 400);
      signal.addEventListener("abort", () => fail(new Error("asked again")));
    });
  };
  const leave = new QueryObserver(cache, { queryKey: ["apps"], queryFn }).subscribe(() => {});
  const gathered = gather(cache);
  for (let told = 0; told < 50; told += 1) {
    gathered.add(ofOrganization(null));
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(cache.getQueryData<number>(["apps"])).toBeGreaterThan(2);
  expect(asked).toBeLessThan(7);
  gathered.stop();
  leave();
});
