// What the API says when it refuses, as an error that screens show as it is.
import { plainly } from "./plain";
import type { components } from "./schema";

export class Problem extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 if there was no answer. */
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
export function unreachable(method = "GET"): Problem {
  const next =
    method === "GET"
      ? "It is tried again by itself."
      : "Once it does, look whether this was done, and do it again if it was not.";
  return new Problem(`Skypanel does not answer. Is your connection up? ${next}`, 0, "UNREACHABLE");
}

/** An answer that is no success, as a problem; a body of another form than the API's is told by its status. */
export function problemOf(status: number, body: unknown): Problem {
  const error = plainly(body) as Partial<components["schemas"]["ErrorBody"]> | null | undefined;
  if (typeof error?.error !== "string") {
    return new Problem(`Skypanel answered with the status ${status} and said no more.`, status, "UNKNOWN");
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
