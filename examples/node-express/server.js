// An Express app that greets, and ends at once when it is told to.
"use strict";

const express = require("express");

const app = express();
app.get("/", (request, response) => response.type("text/plain").send("Hello from node-express\n"));
app.get("/health", (request, response) => response.json({ status: "ok" }));

const server = app.listen(process.env.PORT ?? 5000, "0.0.0.0");
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
