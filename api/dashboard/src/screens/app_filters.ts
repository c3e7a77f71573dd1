// Which apps of the list are looked for.
import type { Schemas } from "../api/client";

type App = Schemas["AppItem"];

/** The states that apps are in, and the one that is looked for, which they may have left. */
export function statesOf(apps: readonly Pick<App, "status">[], chosen: string): string[] {
  return [...new Set([...apps.map((app) => app.status), ...(chosen ? [chosen] : [])])].sort();
}

export function found(apps: readonly App[], search: string, status: string): App[] {
  const wanted = search.trim().toLowerCase();
  return apps.filter(
    (app) =>
      (status === "" || app.status === status) &&
      (wanted === "" || [app.slug, app.name, app.organization].some((text) => text.toLowerCase().includes(wanted))),
  );
}
