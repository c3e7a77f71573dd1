// What a form holds: what somebody typed, and otherwise what is known by now, whoever changes it meanwhile.
import { useState } from "react";

interface Draft<T> {
  draft: T;
  /** What is to be sent: what others set meanwhile in fields that nobody typed into stays as it is. */
  changed: Partial<T>;
  /** Takes what is typed into the field of this name. */
  set: <K extends keyof T>(name: K) => (value: T[K]) => void;
  /** Forgets what was typed, once it is known. */
  clear: () => void;
}

export function useDraft<T extends object>(known: T): Draft<T> {
  const [typed, setTyped] = useState<Partial<T>>({});
  return {
    draft: { ...known, ...typed },
    changed: changes(known, typed),
    set: (name) => (value) => setTyped((before) => ({ ...before, [name]: value })),
    clear: () => setTyped({}),
  };
}

/** What was typed that differs from what is known, without the space around it. */
export function changes<T extends object>(known: T, typed: Partial<T>): Partial<T> {
  const trimmed = Object.entries(typed).map(([name, value]) => [
    name,
    typeof value === "string" ? value.trim() : value,
  ]);
  return Object.fromEntries(trimmed.filter(([name, value]) => value !== known[name as keyof T])) as Partial<T>;
}
