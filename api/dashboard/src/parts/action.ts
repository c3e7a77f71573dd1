// An action of the API behind a button: what it says when it is done, and what is read again after it.
import { notifications } from "@mantine/notifications";
import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { isSessionEnd, words } from "../api/problem";

export interface Action<In, Out> {
  run: (input: In) => Promise<Out>;
  /** What to say once it is done; nothing without. */
  done?: string | ((out: Out, input: In) => string);
  /** Whether what came of it is what was wished for; it is without. */
  isGood?: (out: Out) => boolean;
  /** What is read again. */
  changes?: QueryKey[];
  onDone?: (out: Out, input: In) => void;
  /** Whether the screen shows the problem itself, so that no notification does while it is there. */
  quiet?: boolean;
}

export function useAction<In = void, Out = unknown>(action: Action<In, Out>) {
  const { run, done, isGood = () => true, changes = [], onDone, quiet } = action;
  const cache = useQueryClient();
  const shown = useRef(false);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  return useMutation<Out, Error, In>({
    mutationFn: run,
    onSuccess: async (out, input) => {
      const message = typeof done === "function" ? done(out, input) : done;
      if (message) notifications.show({ message, color: isGood(out) ? "green" : "yellow" });
      onDone?.(out, input);
      await Promise.all(changes.map((queryKey) => cache.invalidateQueries({ queryKey })));
    },
    onError: (error) => {
      if ((quiet && shown.current) || isSessionEnd(error)) return;
      const message = words(error);
      // It stays until it was read, and is not said twice.
      notifications.show({ id: message, title: "That did not work", message, color: "red", autoClose: false });
    },
  });
}
