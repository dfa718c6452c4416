import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { clock } from "./server.js";

async function answerOf(path, options) {
  const server = clock(options).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`);
    return { status: response.status, text: await response.text() };
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

test("the time", async () => {
  const noon = new Date("2026-01-01T12:00:00Z");
  const answer = await answerOf("/", { greeting: "Now", now: () => noon });
  assert.deepEqual(answer, { status: 200, text: "Now 2026-01-01T12:00:00.000Z\n" });
});

test("the health", async () => {
  assert.equal((await answerOf("/up")).status, 200);
});

test("an unknown page", async () => {
  assert.equal((await answerOf("/nowhere")).status, 404);
});
