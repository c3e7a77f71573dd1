// Reads package.json and prints what the buildpack decides by, one "name=value" a line.
// Usage: inspect.js PACKAGE_JSON
"use strict";

const fs = require("fs");
const semver = require("/usr/local/lib/node_modules/npm/node_modules/semver");

let manifest;
try {
  manifest = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
} catch (error) {
  console.log(`invalid=${String(error.message).replace(/\s+/g, " ")}`);
  process.exit(0);
}

const oneLine = (value) => (typeof value === "string" ? value.replace(/[\r\n]/g, " ").trim() : "");
const engines = manifest.engines ?? {};
const scripts = manifest.scripts ?? {};
const count = (group) => Object.keys(manifest[group] ?? {}).length;
const range = oneLine(engines.node);

console.log(`node_range=${range}`);
console.log(`node_range_valid=${range === "" || semver.validRange(range) ? "yes" : ""}`);
console.log(`node_fits=${range === "" || semver.satisfies(process.version, range) ? "yes" : ""}`);
console.log(`package_manager=${oneLine(manifest.packageManager)}`);
console.log(`yarn_range=${oneLine(engines.yarn)}`);
console.log(`pnpm_range=${oneLine(engines.pnpm)}`);
console.log(`npm_range=${oneLine(engines.npm)}`);
console.log(`npm_range_fits=${yesIfNpmFits()}`);
console.log(`dependencies=${count("dependencies") + count("optionalDependencies")}`);
console.log(`dev_dependencies=${count("devDependencies")}`);
console.log(`lifecycle=${["preinstall", "install", "postinstall", "prepare"].filter((name) => scripts[name]).join(" ")}`);
console.log(`scripts=${Object.keys(scripts).filter((name) => /^[\w:.-]+$/.test(name)).join(" ")}`);
console.log(`workspaces=${manifest.workspaces ? "yes" : ""}`);

function yesIfNpmFits() {
  const asked = oneLine(engines.npm);
  if (asked === "") return "yes";
  const { version } = require("/usr/local/lib/node_modules/npm/package.json");
  return semver.satisfies(version, asked) ? "yes" : "";
}
