// What a form holds: what somebody typed, and otherwise what is known by now, whoever changes it meanwhile.
import { useState } from "react";

interface Draft<T> {
  draft: T;
  /** Takes what is typed into the field of this name. */
  set: <K extends keyof T>(name: K) => (value: T[K]) => void;
  /** Forgets what was typed, once it is known. */
  clear: () => void;
}

export function useDraft<T extends object>(known: T): Draft<T> {
  const [typed, setTyped] = useState<Partial<T>>({});
  return {
    draft: { ...known, ...typed },
    set: (name) => (value) => setTyped((before) => ({ ...before, [name]: value })),
    clear: () => setTyped({}),
  };
}
