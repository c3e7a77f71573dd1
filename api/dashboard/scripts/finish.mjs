// Finishes a build: lays a gzip and a brotli form beside every file, which is what the server sends, and fails when
// the first page loads more script than it may.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const DIST = new URL("../dist", import.meta.url).pathname;
/** Compressed bytes of script before the first screen shows. */
const FIRST_LOAD_LIMIT = 250_000;

const files = readdirSync(DIST, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && !/\.(gz|br)$/.test(entry.name) && !entry.parentPath.includes("/.vite"))
  .map((entry) => join(entry.parentPath, entry.name));

const sizes = new Map();
for (const file of files) {
  const bytes = readFileSync(file);
  const gzip = gzipSync(bytes, { level: 9 });
  writeFileSync(`${file}.gz`, gzip);
  writeFileSync(
    `${file}.br`,
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  );
  sizes.set(file.slice(DIST.length + 1), gzip.length);
}

const manifest = JSON.parse(readFileSync(join(DIST, ".vite/manifest.json"), "utf8"));

/** What a chunk loads before it runs, itself included. */
function loaded(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const other of manifest[key].imports ?? []) loaded(other, seen);
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const total = (keys) => [...keys].reduce((sum, key) => sum + (sizes.get(manifest[key].file) ?? 0), 0);
// The screen that somebody comes to is loaded with the first page, too: the heaviest counts.
// What a screen fetches when somebody does something there, such as the terminal, is not.
const screens = manifest[entry].dynamicImports ?? [];
const heaviest = screens
  .map((screen) => [total(loaded(screen, loaded(entry))), screen])
  .reduce((most, one) => (one[0] > most[0] ? one : most), [total(loaded(entry)), entry]);
const [bytes, screen] = heaviest;
const words = `${Math.round(bytes / 1000)} KB of compressed script before the first screen (${screen})`;
if (bytes > FIRST_LOAD_LIMIT) {
  console.error(` !     ${words}, and ${FIRST_LOAD_LIMIT / 1000} KB are the limit.`);
  process.exit(1);
}
console.log(`       ${words}`);
