import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { csrfToken, renew } from "./session";

beforeEach(() => {
  vi.stubGlobal("document", { cookie: "a=b; skypanel_csrf=token" });
  vi.stubGlobal("location", { protocol: "http:" });
  vi.stubGlobal("navigator", {});
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("only what says that there is no session ends it", async () => {
  const answered = (status: number, body = "") => {
    vi.stubGlobal("fetch", async () => new Response(body, { status }));
    return renew();
  };
  expect([await answered(200), await answered(409), await answered(401), await answered(403)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  await expect(answered(502, "<html>")).rejects.toMatchObject({ status: 502 });
  await expect(answered(429, '{"error":"Too many.","code":"RATE_LIMITED"}')).rejects.toMatchObject({
    message: "Too many.",
    status: 429,
  });
});

test("a renewal that hangs ends, and the next one asks anew", async () => {
  const limit = new AbortController();
  vi.spyOn(AbortSignal, "timeout").mockReturnValueOnce(limit.signal);
  vi.stubGlobal("fetch", hanging);
  const first = renew();
  limit.abort();
  await expect(first).rejects.toThrow();
  vi.stubGlobal("fetch", async () => new Response());
  expect(await renew()).toBe(true);
});

/** A `fetch` that nothing answers. */
function hanging(_: unknown, { signal }: { signal: AbortSignal }): Promise<Response> {
  return new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
}

test("the CSRF token is that of the scheme", () => {
  expect(csrfToken("skypanel_csrf=a; __Host-skypanel_csrf=b", "http:")).toBe("a");
  expect(csrfToken("skypanel_csrf=a; __Host-skypanel_csrf=b", "https:")).toBe("b");
});
