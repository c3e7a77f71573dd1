// What the API says when it refuses, as an error that screens show as it is.
import { plainly } from "./plain";
import type { components } from "./schema";

export class Problem extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 if there was no answer, 504 if it was waited for long enough. */
    readonly status: number,
    readonly code: string,
    /** Reasons by the name of the field at fault. */
    readonly fields: Record<string, string> = {},
    readonly requestId: string | null = null,
  ) {
    super(message);
    this.name = "Problem";
  }
}

/** Whatever is read is asked for again by itself; what somebody does may have been done or not. */
const goOn = (method: string) =>
  method === "GET"
    ? "It is tried again by itself."
    : "Once it does, check whether this was done, and do it again if it was not.";

export function unreachable(method = "GET"): Problem {
  return new Problem(`Skypanel does not answer. Is your connection up? ${goOn(method)}`, 0, "UNREACHABLE");
}

/** There was no whole answer within so many seconds. */
export function tooSlow(seconds: number, method: string): Problem {
  const message = `Skypanel did not answer within ${seconds} seconds. ${goOn(method)}`;
  return new Problem(message, 504, "TIMEOUT");
}

const SESSION_ENDED = "SESSION_ENDED";

export function sessionEnded(): Problem {
  return new Problem("Your session has ended. Sign in again.", 401, SESSION_ENDED);
}

/** Whether something was refused because the session ended: a dialog says so, and leads on. */
export function isSessionEnd(error: unknown): boolean {
  return error instanceof Problem && error.code === SESSION_ENDED;
}

/** An answer that is no success, as a problem; a body of another form than the API's is told by its status. */
export function problemOf(status: number, body: unknown): Problem {
  const error = plainly(body) as Partial<components["schemas"]["ErrorBody"]> | null | undefined;
  if (typeof error?.error !== "string") {
    // What stands before Skypanel answers so in its place.
    const next =
      status >= 500
        ? "It may be starting again: try again in a minute, but check first whether what you changed is there."
        : "Something between you and it may have refused this.";
    const message = `Skypanel answered with the status ${status} and said no more. ${next} Tell an admin if it stays so.`;
    return new Problem(message, status, "UNKNOWN");
  }
  return new Problem(error.error, status, error.code ?? "UNKNOWN", fieldsOf(error.details), error.request_id ?? null);
}

function fieldsOf(details: unknown): Record<string, string> {
  const fields = (details as { fields?: unknown } | null | undefined)?.fields;
  if (typeof fields !== "object" || fields === null) return {};
  return Object.fromEntries(Object.entries(fields).map(([name, reason]) => [name, String(reason)]));
}

/** Any error in words. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
