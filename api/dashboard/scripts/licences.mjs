// Fails when a package that the dashboard is built with has a licence that Skypanel cannot live with.
import { readFileSync } from "node:fs";

const ALLOWED = new Set([
  "MIT",
  "MIT OR Apache-2.0",
  "(MIT OR CC0-1.0)",
  "Apache-2.0",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "0BSD",
  "BlueOak-1.0.0",
  // isbot, which belongs to the half of the router that renders on servers, and is not served.
  "Unlicense",
]);
// Never part of what is served: they build it, or look at it in the tests.
const TOOLS = new Set(["MPL-2.0", "CC-BY-4.0", "Python-2.0"]);

const { packages } = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
const wrong = Object.entries(packages)
  .filter(([path]) => path !== "")
  .filter(([, { license, dev, devOptional }]) => !ALLOWED.has(license) && !((dev || devOptional) && TOOLS.has(license)))
  .map(([path, { license }]) => ` !     ${path}: ${license ?? "no licence"}`);
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
