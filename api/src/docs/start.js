// Starts Swagger UI over this server's own description.
"use strict";

const cookie = (name) => document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);

window.ui = SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tagsSorter: "alpha",
  // Somebody who is logged in here calls as themselves; writes of a session prove that they come from our pages.
  requestInterceptor: (request) => {
    const token = cookie("skypanel_csrf");
    if (token && !["GET", "HEAD"].includes((request.method ?? "GET").toUpperCase())) {
      request.headers["X-CSRF-Token"] = token;
    }
    return request;
  },
});
