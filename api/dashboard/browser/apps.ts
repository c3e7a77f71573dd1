// Apps that the tests push.

/** A server that writes to its log, in colours, with what would be markup. */
export const TALKING = {
  "package.json": JSON.stringify({
    name: "talking",
    version: "1.0.0",
    private: true,
    scripts: { start: "node server.js" },
  }),
  "package-lock.json": JSON.stringify({
    name: "talking",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { name: "talking", version: "1.0.0" } },
  }),
  "server.js": `
    console.log("\u001b[32mlistening\u001b[0m on " + process.env.PORT);
    console.log("<img src=x onerror=alert(1)>");
    require("node:http").createServer((request, response) => {
      console.log("answered " + request.url);
      response.end("Hello");
    }).listen(process.env.PORT);
  `,
};

/** The same with a build that fails, and says why. */
export const BROKEN = {
  ...TALKING,
  "package.json": JSON.stringify({
    name: "talking",
    version: "1.0.0",
    private: true,
    scripts: { start: "node server.js", build: "echo the colour is missing >&2; exit 3" },
  }),
};
