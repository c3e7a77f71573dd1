import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// In development the API is a Skypanel that runs: `infra/dev/e2e start`, or the one of `make demo`.
const api = process.env.SKYPANEL_API ?? "http://127.0.0.1:18080";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2023",
    // The content policy allows no data: scripts or styles, so that nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    manifest: true,
    // What is loaded first is limited by scripts/finish.mjs.
    chunkSizeWarningLimit: 1_000,
  },
  server: { port: 5173, strictPort: true, proxy: { "/api": { target: api, changeOrigin: false, ws: true } } },
});
