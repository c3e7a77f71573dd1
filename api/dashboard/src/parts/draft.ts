// What a form holds: what somebody typed, and otherwise what is known by now, whoever changes it meanwhile.
import type { UseMutationResult } from "@tanstack/react-query";
import { useState } from "react";

/** An action that is given what was changed. */
export type Save<T> = UseMutationResult<unknown, Error, Partial<T>>;

export interface Draft<T> {
  draft: T;
  /** What is to be sent: what others set meanwhile in fields that nobody typed into stays as it is. */
  changed: Partial<T>;
  /** Takes what is typed into the field of this name. */
  set: <K extends keyof T>(name: K) => (value: T[K]) => void;
  /** Forgets what was typed into the field of this name. */
  drop: (name: keyof T) => void;
  /** Forgets all that was typed. */
  discard: () => void;
  /** Sends what was changed, and forgets it once it is read again; what was typed since then stays. */
  send: (save: Save<T>) => void;
  /** How many fields hold what is neither saved nor on its way. */
  unsaved: (save: Save<T>) => number;
}

/** `exact` where the space around a text is part of it. */
export function useDraft<T extends object>(known: T, { exact = false } = {}): Draft<T> {
  const [typed, setTyped] = useState<Partial<T>>({});
  const changed = changes(known, typed, exact);
  return {
    draft: { ...known, ...typed },
    changed,
    set: (name) => (value) => setTyped((before) => ({ ...before, [name]: value })),
    drop: (name) => setTyped(({ [name]: _, ...others }) => others as Partial<T>),
    discard: () => setTyped({}),
    send: (save) => save.mutate(changed, { onSuccess: (_, sent) => setTyped((before) => unsent(before, sent, exact)) }),
    unsaved: ({ isPending, variables }) =>
      Object.keys(isPending && variables ? unsent(changed, variables, exact) : changed).length,
  };
}

/** What was typed that differs from what is known, without the space around it unless that is part of it. */
export function changes<T extends object>(known: T, typed: Partial<T>, exact = false): Partial<T> {
  const meant = of(typed).map(([name, value]) => [name, exact ? value : trimmed(value)] as const);
  return Object.fromEntries(meant.filter(([name, value]) => value !== known[name])) as Partial<T>;
}

/** What was typed that is not what was sent. */
export function unsent<T extends object>(typed: Partial<T>, sent: Partial<T>, exact = false): Partial<T> {
  const left = of(typed).filter(([name, value]) => !(name in sent) || (exact ? value : trimmed(value)) !== sent[name]);
  return Object.fromEntries(left) as Partial<T>;
}

const of = <T extends object>(typed: Partial<T>) => Object.entries(typed) as [keyof T, T[keyof T]][];

const trimmed = <V>(value: V) => (typeof value === "string" ? value.trim() : value);
