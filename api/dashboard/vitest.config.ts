import { defineConfig } from "vitest/config";

// Two kinds of tests: of the client's logic, beside what they test, and of the whole in a browser.
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
  },
});
