// What was read of the API, kept for the screens. Answers that will not change by asking again are not asked again.
import { QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem";

const TRIES = 3;

export const cache = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) => {
        const status = error instanceof Problem ? error.status : 0;
        return failures < TRIES && (status === 0 || status >= 500);
      },
    },
    mutations: { retry: false },
  },
});
