import { defineConfig } from "vitest/config";

/** Longest that one measurement, or all pictures, may take. */
const LIMIT_MS = 400_000;

// What drives the dashboard and proves nothing: `infra/dev/dashboard speed` and `infra/dev/dashboard pictures`.
export default defineConfig({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    include: ["speed.ts", "pictures.ts"],
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    fileParallelism: false,
  },
});
