// The client of the API, typed by its OpenAPI document. Renews the session when it has run out, and turns every
// refusal into a Problem.
import createClient from "openapi-fetch";
import { plainly } from "./plain";
import { Problem, problemOf, unreachable } from "./problem";
import type { components, paths } from "./schema";
import { csrfToken, hasEnded, renew, setSession } from "./session";

export type Schemas = components["schemas"];

/** `fetch` in the session: with the CSRF token, and once more after the session was renewed. */
export async function sessionFetch(request: Request): Promise<Response> {
  // A body can be sent once, so that the second try needs its own copy.
  const again = request.clone();
  const first = await send(request);
  const { pathname } = new URL(request.url);
  if (first.status !== 401 || pathname === "/api/auth/login") return first;
  if (!hasEnded() && (await renew().catch(() => Promise.reject(unreachable(request.method))))) {
    const second = await send(again);
    if (second.status !== 401) return second;
  }
  setSession("ended");
  return first;
}

async function send(request: Request): Promise<Response> {
  if (request.method !== "GET") request.headers.set("x-csrf-token", csrfToken());
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw unreachable(request.method);
  }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: sessionFetch });

/** The data of an answer, in plain text; throws a Problem for every other. */
export async function data<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw problemOf(response.status, error);
  return plainly(data) as T;
}

export { Problem };
