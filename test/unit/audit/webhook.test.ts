/** The webhook of the audit log: batches in order, again and again, and never more than its queue holds. */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { createWebhook, type WebhookLimits } from "../../../src/audit/webhook.ts";
import { eventually } from "../../support/eventually.ts";

interface Received {
  readonly authorization: string | undefined;
  readonly items: readonly unknown[];
}

/** A server that answers with the statuses in turn, and 200 after them. `undefined`: not at all. */
async function receiver(t: TestContext, ...statuses: readonly (number | undefined)[]) {
  const received: Received[] = [];
  const answers = [...statuses];
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const status = answers.length > 0 ? answers.shift() : 200;
      const { kind, apiVersion, items } = JSON.parse(text);
      assert.deepEqual([kind, apiVersion], ["EventList", "audit.k8s.io/v1"]);
      received.push({ authorization: request.headers.authorization, items });
      if (status === 302) response.setHeader("location", `http://127.0.0.1:${portOf(server)}/elsewhere`);
      if (status !== undefined) response.writeHead(status).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${portOf(server)}/events` };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const quick: Partial<WebhookLimits> = {
  gatherMs: 1,
  retryMs: 1,
  maxRetryMs: 2,
  answerMs: 500,
  closeMs: 2000,
};

function webhookTo(
  t: TestContext,
  url: string,
  limits: Partial<WebhookLimits> = {},
  token?: () => Promise<string>,
) {
  const warnings: string[] = [];
  const webhook = createWebhook({
    ...{ url, readToken: token, warn: (message) => void warnings.push(message) },
    limits: { ...quick, ...limits },
  });
  t.after(() => webhook.close());
  return { webhook, warnings };
}

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
const itemsOf = (received: readonly Received[]): readonly unknown[] => received.flatMap(({ items }) => items);

test("send() posts events in order, several at a time, with the token that is there now", async (t) => {
  const { received, url } = await receiver(t);
  let reads = 0;
  const { webhook } = webhookTo(t, url, { batchEvents: 4 }, async () => `token-${++reads}`);
  for (const number of numbers(0, 10)) webhook.send(String(number));
  await eventually(() => webhook.counts.sent === 10);
  assert.deepEqual(
    received.map(({ items }) => items),
    [numbers(0, 4), numbers(4, 8), numbers(8, 10)],
  );
  assert.deepEqual(
    received.map(({ authorization }) => authorization),
    ["Bearer token-1", "Bearer token-2", "Bearer token-3"],
  );
});

test("send() repeats a batch until the server takes it, and follows no redirect", async (t) => {
  const { received, url } = await receiver(t, 500, 429, 401, 302, 204);
  const { webhook, warnings } = webhookTo(t, url);
  webhook.send("1");
  await eventually(() => webhook.counts.sent === 1);
  assert.deepEqual(itemsOf(received), [1, 1, 1, 1, 1]);
  assert.deepEqual(warnings.length, 1);
  assert.match(
    String(warnings[0]),
    /^Cannot send audit events to http:\/\/127\.0\.0\.1:\d+: it answers 500; 1 wait$/,
  );
});

test("send() drops a batch that the server will never take, and goes on", async (t) => {
  const { received, url } = await receiver(t, 400);
  const { webhook, warnings } = webhookTo(t, url, { batchEvents: 2 });
  for (const number of [1, 2, 3]) webhook.send(String(number));
  await eventually(() => webhook.counts.sent === 1);
  assert.deepEqual(itemsOf(received), [1, 2, 3]);
  assert.equal(webhook.counts.dropped, 2);
  assert.match(String(warnings[0]), /answers 400 to a batch, which is dropped; 3 wait; 2 were dropped/);
});

test("send() holds so many events and bytes, drops what is more, and counts it", async (t) => {
  const { webhook, warnings } = webhookTo(t, "http://127.0.0.1:1/events", { maxEvents: 5, closeMs: 1 });
  for (const number of numbers(0, 8)) webhook.send(String(number));
  assert.deepEqual([webhook.counts.waiting, webhook.counts.dropped], [5, 3]);
  assert.match(String(warnings[0]), /its queue is full/);
  const bytes = webhookTo(t, "http://127.0.0.1:1/events", { maxBytes: 10, closeMs: 1 });
  for (const text of ['"12345678"', '"2"']) bytes.webhook.send(text);
  assert.deepEqual([bytes.webhook.counts.waiting, bytes.webhook.counts.dropped], [1, 1]);
});

test("close() sends what waits, and counts what a server that is silent does not take", async (t) => {
  const { received, url } = await receiver(t);
  const { webhook } = webhookTo(t, url, { gatherMs: 60_000 });
  webhook.send("1");
  await webhook.close();
  assert.deepEqual(itemsOf(received), [1]);
  const silent = await receiver(t, undefined, undefined);
  const stuck = webhookTo(t, silent.url, { closeMs: 50, answerMs: 20 });
  stuck.webhook.send("1");
  await stuck.webhook.close();
  assert.equal(stuck.webhook.counts.dropped, 1);
  assert.match(String(stuck.warnings.at(-1)), /the gateway ended/);
});
