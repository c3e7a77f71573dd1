import { defineConfig } from "vitest/config";

/** Longest that one measurement may take. */
const LIMIT_MS = 300_000;

// What is measured, and fails nobody: `infra/dev/dashboard speed` writes it to target/bench/dashboard.json.
export default defineConfig({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    include: ["speed.ts"],
    testTimeout: LIMIT_MS,
    hookTimeout: LIMIT_MS,
    fileParallelism: false,
  },
});
