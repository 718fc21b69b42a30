/** More connections at once than a busy gateway has time to accept. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { spawnGateway } from "./spawned-gateway.ts";

const count = 1000;
const cap = Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8"));

test("1,000 connections wait for a gateway that is busy, and each is answered", {
  skip: cap < count ? `net.core.somaxconn is ${cap}` : false,
}, async (t) => {
  const gateway = await spawnGateway(t);
  const pid = gateway.process.pid ?? 0;
  process.kill(pid, "SIGSTOP");
  const answers: string[] = [];
  let connected = 0;
  const sockets = Array.from({ length: count }, (): Socket => {
    const socket = connect(gateway.port, "127.0.0.1", () => connected++);
    socket.on("error", ({ message }) => answers.push(message));
    socket.once("data", (bytes) => answers.push(bytes.toString("latin1").slice(9, 12)));
    socket.end("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return socket;
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  try {
    await eventually(() => connected === count);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await eventually(() => answers.length === count);
  assert.deepEqual([...new Set(answers)], ["200"]);
});
