// What was read of the API, kept for the screens. It is read again when its change is told, and after a while even so:
// not all that changes is told. Answers that will not change by asking again are not asked again.
import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem";
import { hasEnded } from "./session";

/** An answer may be lost on its way more than once; what Skypanel itself failed at it mostly fails at again, and says why. */
const TRIES_UNANSWERED = 3;
const TRIES_FAILED = 1;
const AGAIN_MS = 30_000;

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchInterval: () => (hasEnded() ? false : AGAIN_MS),
      retry: (failures, error) => failures < triesAfter(error instanceof Problem ? error.status : 0),
    },
    mutations: { retry: false },
  },
});

/** How often an answer of this status is asked for again; 0 if there was none. */
function triesAfter(status: number): number {
  if (status === 0) return TRIES_UNANSWERED;
  return status >= 500 ? TRIES_FAILED : 0;
}
