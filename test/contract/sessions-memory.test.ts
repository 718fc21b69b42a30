/** A thousand sessions at once, as many as a runtime has tokens for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { channel, sessionGateway } from "../support/spdy-gateway.ts";

const mebibyte = 1024 * 1024;
const many = 1000;

const usage = (): { readonly rss: number; readonly heapUsed: number } => process.memoryUsage();

test("1,000 idle sessions stand, are counted, and answer", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const path = `${gateway.container}/exec?command=cat&stdin=true&stdout=true`;
  const warm = gateway.open(path);
  await warm.opened;
  warm.socket.close();
  await eventually(async () => (await gateway.count()) === 0);

  const before = usage();
  const begun = performance.now();
  const clients = Array.from({ length: many }, () => gateway.open(path));
  await Promise.all(clients.map(({ opened }) => opened));
  const opening = performance.now() - begun;
  assert.equal(await gateway.count(), many);
  const refused = await gateway.refusal(path);
  assert.equal(refused.status, 429);

  const echoing = performance.now();
  await Promise.all(clients.map((client, index) => client.send(channel.stdin, `${index}`)));
  await eventually(() => clients.every((client, index) => client.text(channel.stdout) === `${index}`), {
    timeoutMs: 60_000,
    intervalMs: 50,
  });
  const after = usage();
  t.diagnostic(
    `${many} sessions, with their clients and the runtime's side in one process: ` +
      `${((after.rss - before.rss) / mebibyte).toFixed(0)} MiB of RSS (${(after.rss / mebibyte).toFixed(0)} in all), ` +
      `${((after.heapUsed - before.heapUsed) / mebibyte).toFixed(0)} MiB of heap; ` +
      `opened in ${opening.toFixed(0)} ms, one echo each in ${(performance.now() - echoing).toFixed(0)} ms`,
  );
  assert.ok(after.rss - before.rss < 400 * mebibyte, `${after.rss - before.rss} bytes`);

  for (const { socket } of clients) socket.close();
  await eventually(async () => (await gateway.count()) === 0, { timeoutMs: 60_000 });
  await eventually(() => gateway.streams.connections === 0, { timeoutMs: 60_000 });
  assert.deepEqual(gateway.logged, []);
});
