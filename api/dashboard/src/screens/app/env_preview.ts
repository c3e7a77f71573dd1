// What becomes of config vars before they are saved, in names: a preview. Values are read by the API alone.

/** What is changed, by name. */
export interface Preview {
  added: string[];
  changed: string[];
  removed: string[];
}

/** A name with its value, over several lines where that is in quotes. */
const ASSIGNMENT = /^[ \t]*(?:export[ \t]+)?([A-Z_][A-Z0-9_]*)[ \t]*=[ \t]*(?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|[^\n]*)/gm;

/** The names that a `.env` file sets. */
export function namesOf(text: string): string[] {
  return [...new Set([...text.matchAll(ASSIGNMENT)].map(([, name]) => name ?? ""))];
}

/** What a `.env` file would change, where these vars are there; with `replace` all others are removed. */
export function previewOf(text: string, there: readonly string[], replace: boolean): Preview {
  const names = namesOf(text);
  return {
    added: names.filter((name) => !there.includes(name)),
    changed: names.filter((name) => there.includes(name)),
    removed: replace ? there.filter((name) => !names.includes(name)) : [],
  };
}

/** The same of single changes: a value, or null to remove the var. */
export function previewOfChanges(changes: Record<string, string | null>, there: readonly string[]): Preview {
  const names = Object.keys(changes).sort();
  const set = names.filter((name) => changes[name] !== null);
  return {
    added: set.filter((name) => !there.includes(name)),
    changed: set.filter((name) => there.includes(name)),
    removed: names.filter((name) => changes[name] === null),
  };
}
