// Which lines of a log are looked for: the address of the page holds it, so that it can be passed on, and the API is asked
// with it.
import type { Schemas } from "../../api/client";

type Source = Schemas["LogSource"];
type Level = Schemas["LogLevel"];

export const SOURCES: readonly Source[] = ["app", "router", "build", "release", "system"];
export const LEVELS: readonly Level[] = ["trace", "debug", "info", "warn", "error", "fatal"];

/** Filters as the address has them; what is missing does not count. */
export interface LogFilters {
  source?: Source;
  /** A type such as `web`, or a replica such as `web.1`. */
  process?: string;
  /** At least so grave. */
  level?: Level;
  text?: string;
  /** Whether the text is a regular expression. */
  regex?: boolean;
  /** A moment, or how long ago, such as `15m`. */
  since?: string;
  /** A moment, before which the lines are; without, new ones come as they are written. */
  until?: string;
  /** The cursor of a line to go to. */
  line?: string;
}

/** What an address says, as far as it makes sense. */
export function filtersOf(search: Record<string, unknown>): LogFilters {
  const text = (name: string) => {
    const value = search[name];
    // The router reads numbers out of the address.
    if (typeof value === "number") return String(value);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const source = SOURCES.find((one) => one === search.source);
  const level = LEVELS.find((one) => one === search.level);
  const regex = search.regex === true ? true : undefined;
  const found: LogFilters = { source, level, regex };
  for (const name of ["process", "text", "since", "until", "line"] as const) found[name] = text(name);
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** The address of a line. It has no time that goes on: a line of the last hour is not one of it for long. */
export function atLine(filters: LogFilters, line: string | undefined): LogFilters {
  const { since, line: _, ...rest } = filters;
  return {
    ...rest,
    ...(since === undefined || /^\d+[a-z]+$/.test(since) ? {} : { since }),
    ...(line === undefined ? {} : { line }),
  };
}

/** Whether lines are left out that the app wrote. */
export function narrows({ source, process, level, text, since, until }: LogFilters): boolean {
  return [source, process, level, text, since, until].some((one) => one !== undefined);
}

/** What the API is asked with. */
export function queryOf({ source, process, level, text, regex, since, until }: LogFilters) {
  return {
    ...(source ? { source } : {}),
    ...(process ? { process } : {}),
    ...(level ? { level } : {}),
    ...(text ? { [regex ? "regex" : "text"]: text } : {}),
    ...(since ? { since } : {}),
    ...(until ? { until } : {}),
  };
}

/** A moment as a field for date and time has it, in the browser's own time; empty for what is none. */
export function fieldOf(moment: string | undefined): string {
  const at = new Date(moment ?? "");
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** The moment that such a field says. */
export function momentOf(field: string): string | undefined {
  const at = new Date(field);
  return field === "" || Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
