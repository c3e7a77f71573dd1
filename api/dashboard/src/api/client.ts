// The client of the API, typed by its OpenAPI document. Renews the session when it has run out, and turns every
// refusal into a Problem.
import createClient from "openapi-fetch";
import { plainly } from "./plain";
import { Problem, problemOf, sessionEnded, tooSlow, unreachable } from "./problem";
import type { components, paths } from "./schema";
import { csrfToken, hasEnded, renew, setSession } from "./session";

export type Schemas = components["schemas"];

/** Longest that an answer may take: Skypanel itself gives up after a minute, and says so. */
const ANSWER_MS = 75_000;

/**
 * Asks in the session: with the CSRF token, and once more after the session was renewed. `ask` is `fetch` for a stream,
 * which goes on; all else is waited for until it is whole, and not for ever.
 */
export async function sessionFetch(request: Request, ask = whole): Promise<Response> {
  // A body can be sent once, so that the second try needs its own copy.
  const again = request.clone();
  const first = await send(request, ask);
  const { pathname } = new URL(request.url);
  if (first.status !== 401 || pathname === "/api/auth/login") return first;
  if (!hasEnded() && (await renewed(request))) {
    const second = await send(again, ask);
    if (second.status !== 401) return second;
  }
  setSession("ended");
  throw sessionEnded();
}

async function renewed({ method }: Request): Promise<boolean> {
  try {
    return await renew();
  } catch (error) {
    throw error instanceof Problem ? error : unreachable(method);
  }
}

async function send(request: Request, ask: typeof whole): Promise<Response> {
  if (request.method !== "GET") request.headers.set("x-csrf-token", csrfToken());
  try {
    return await ask(request);
  } catch (error) {
    if (request.signal.aborted || error instanceof Problem) throw error;
    throw unreachable(request.method);
  }
}

async function whole(request: Request): Promise<Response> {
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    const response = await fetch(request, { signal: AbortSignal.any([request.signal, limit]) });
    const body = await response.arrayBuffer();
    return new Response(body.byteLength > 0 ? body : null, response);
  } catch (error) {
    throw limit.aborted && !request.signal.aborted ? tooSlow(ANSWER_MS / 1000, request.method) : error;
  }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: (request) => sessionFetch(request) });

/** The data of an answer, in plain text; throws a Problem for every other. */
export async function data<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(response.status, error);
  return plainly(data) as T;
}
