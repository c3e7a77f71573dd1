// What was read of the API, kept for the screens. It is read again when its change is told, and after a while even so:
// not all that changes is told. Answers that will not change by asking again are not asked again.
import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem";
import { hasEnded } from "./session";

const TRIES = 3;
const AGAIN_MS = 30_000;

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      refetchInterval: () => (hasEnded() ? false : AGAIN_MS),
      retry: (failures, error) => {
        const status = error instanceof Problem ? error.status : 0;
        return failures < TRIES && (status === 0 || status >= 500);
      },
    },
    mutations: { retry: false },
  },
});
