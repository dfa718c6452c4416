// A small HTTP application: the time at /, its health at /up.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

export function clock({ greeting = "It is", now = () => new Date() } = {}) {
  return createServer((request, response) => {
    switch (new URL(request.url, "http://clock").pathname) {
      case "/":
        return answer(response, 200, `${greeting} ${now().toISOString()}\n`);
      case "/up":
        return answer(response, 200, "ok\n");
      default:
        return answer(response, 404, "There is no such page.\n");
    }
  });
}

function answer(response, status, text) {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}

// Run, not imported by a test: listen, and end at SIGTERM when the requests in flight are answered.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = clock({ greeting: process.env.GREETING });
  server.listen(Number(process.env.PORT ?? 8080), () => console.log("listening on", server.address().port));
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.on(signal, () => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
    });
  }
}
