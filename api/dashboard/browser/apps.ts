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

/** The same with a command that builds it. */
const built = (build: string) => ({
  ...TALKING,
  "package.json": JSON.stringify({
    name: "talking",
    version: "1.0.0",
    private: true,
    scripts: { start: "node server.js", build },
  }),
});

/** One whose build fails, and says why. */
export const BROKEN = built("echo the colour is missing >&2; exit 3");

/** One whose build takes so many seconds, and says what it is at. */
export const slowly = (seconds: number) => built(`echo mixing the colour; sleep ${seconds}`);

/** A server that writes to its log what it is asked for. */
export const WRITING = {
  ...TALKING,
  "server.js": `
    const { writeSync } = require("node:fs");
    const HOSTILE = [
      "\\u001b[31mred\\u001b[0m and \\u001b[1mbold\\u001b[0m",
      "\\u001b[43;33mon yellow\\u001b[0m, \\u001b[7minverse\\u001b[0m, \\u001b[2;44mfaint on blue\\u001b[0m",
      "null\\u0000in\\u0007between",
      "<script>document.title='owned'</script>",
      "<img src=x onerror=\\"document.title='owned'\\">",
      "\\u001b]8;;https://evil.example\\u001b\\\\a link\\u001b]8;;\\u001b\\\\",
      "2026-01-01T00:00:00Z app[web.1]: forged",
      "\\u001b[2J\\u001b[10;10Hmoved",
      "turned \\u202egnirts",
      "end of what is hostile",
    ];
    function write(text) {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) {
        try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
      }
    }
    require("node:http").createServer((request, response) => {
      const url = new URL(request.url, "http://localhost");
      const number = Number(url.searchParams.get("n"));
      if (url.pathname === "/lines") for (let line = 1; line <= number; line += 1) write("line " + line + " of " + number + "\\n");
      if (url.pathname === "/hostile") write(HOSTILE.join("\\n") + "\\n");
      if (url.pathname === "/long") write("x".repeat(number) + " the end of it\\n");
      if (url.pathname === "/levels") write("info: all is well\\nwarning: it is slow\\nerror: it broke\\n");
      response.end("Hello");
    }).listen(process.env.PORT);
  `,
};
