import { defineConfig } from "vitest/config";

/** Longest that a test may take: some push, build and roll out. */
const TEST_LIMIT_MS = 180_000;
/** Longest that a test waits for what comes by itself, unless it says otherwise. */
const COMES_MS = 15_000;

export default defineConfig({
  cacheDir: "../node_modules/.vite",
  test: {
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    expect: { poll: { timeout: COMES_MS } },
    // One Skypanel and one browser on two cores: one after the other.
    fileParallelism: false,
  },
});
