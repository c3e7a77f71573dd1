import { expect, test } from "vitest";
import type { Schemas } from "../../api/client";
import { commitBefore, compareAddress } from "./compare";

const [A, B] = ["a".repeat(40), "b".repeat(40)];

test("hosts that are known show the difference, however the repository is written", () => {
  for (const url of [
    "https://github.com/ada/shop.git",
    "https://github.com/ada/shop/",
    "git@github.com:ada/shop.git",
    "ssh://git@github.com:22/ada/shop.git",
  ]) {
    expect(compareAddress(url, A, B), url).toBe(`https://github.com/ada/shop/compare/${A}...${B}`);
  }
  expect(compareAddress("https://gitlab.example.com/a/b/c.git", A, B)).toBe(
    `https://gitlab.example.com/a/b/c/-/compare/${A}...${B}`,
  );
});

test("nothing else becomes an address", () => {
  for (const url of [null, "", "https://example.com/a/b.git", "javascript:alert(1)", "https://github.com/a/b?x=<y>"]) {
    expect(compareAddress(url, A, B)).toBe(null);
  }
  expect(compareAddress("https://github.com/a/b", "main", B)).toBe(null);
});

test("the commit before is that of the last release that went live", () => {
  const one = (id: string, minute: number, status: string, git_commit: string | null) =>
    ({ id, created_at: `2026-11-29T12:0${minute}:00Z`, status, git_commit }) as Schemas["DeploymentItem"];
  const all = [one("4", 4, "succeeded", B), one("3", 3, "failed", "c"), one("2", 2, "succeeded", A)];
  expect(commitBefore(all, all[0] as Schemas["DeploymentItem"])).toBe(A);
  expect(commitBefore(all, one("2", 2, "succeeded", A))).toBe(null);
  expect(commitBefore(all, one("5", 5, "succeeded", B))).toBe(null);
});
