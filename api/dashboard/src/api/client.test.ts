import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** What is asked is told here, and answered so. */
async function client(fetch: (path: string, signal: AbortSignal) => Promise<Response> | Response) {
  vi.stubGlobal("document", { cookie: "" });
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("location", { protocol: "http:", origin: "http://skypanel.test" });
  vi.stubGlobal("fetch", async (asked: Request | string, { signal }: { signal: AbortSignal }) =>
    fetch(new URL(typeof asked === "string" ? asked : asked.url, "http://skypanel.test").pathname, signal),
  );
  return import("./client");
}

beforeEach(() => vi.resetModules());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const refused = () => Response.json({ error: "Renew it.", code: "UNAUTHENTICATED" }, { status: 401 });

test("while Skypanel starts again, no session ends", async () => {
  const { api, data } = await client((path) =>
    path === "/api/auth/refresh" ? new Response("Bad Gateway", { status: 502 }) : refused(),
  );
  await expect(data(api.GET("/api/me"))).rejects.toMatchObject({ status: 502 });
  const { hasEnded } = await import("./session");
  expect(hasEnded()).toBe(false);
});

test("a session that ended is told of as such, and not in the words of what was refused", async () => {
  const { api, data } = await client(refused);
  await expect(data(api.GET("/api/me"))).rejects.toMatchObject({ status: 401, code: "SESSION_ENDED" });
  const { hasEnded } = await import("./session");
  expect(hasEnded()).toBe(true);
});

test("a wrong password is none", async () => {
  const { api, data } = await client(() =>
    Response.json({ error: "The password is wrong.", code: "UNAUTHENTICATED" }, { status: 401 }),
  );
  const login = data(api.POST("/api/auth/login", { body: { email: "a@example.com", password: "x", code: null } }));
  await expect(login).rejects.toThrow("The password is wrong.");
});

test("no answer is waited for for ever, nor its end", async () => {
  const limit = new AbortController();
  vi.spyOn(AbortSignal, "timeout").mockReturnValue(limit.signal);
  // Its beginning comes, and no more.
  const { api, data } = await client((_, signal) => {
    const body = new ReadableStream({
      start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)),
    });
    setTimeout(() => limit.abort());
    return new Response(body);
  });
  await expect(data(api.DELETE("/api/me/tokens/{id}", { params: { path: { id: "1" } } }))).rejects.toMatchObject({
    code: "TIMEOUT",
    message: expect.stringContaining("check whether this was done"),
  });
});

test("whoever leaves is told of nothing", async () => {
  const { api } = await client(
    (_, signal) => new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason))),
  );
  const left = new AbortController();
  const asked = api.GET("/api/me", { signal: left.signal });
  left.abort(new Error("left"));
  await expect(asked).rejects.toThrow("left");
});
