import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/errors.ts";
import { createAnonymousRequests } from "../../../src/limits/anonymous-requests.ts";

const address = "192.0.2.1";
const isRefusal = (error: unknown): boolean =>
  error instanceof GatewayError &&
  error.code === "too_many_requests" &&
  error.headers.connection === "close" &&
  error.members.setting === "--anonymous-requests";

test("countFailure() refuses an address that goes on without a valid token, and no other", async () => {
  let refused = 0;
  const requests = createAnonymousRequests({ perSecond: 1, pauseMs: 1, refused: () => refused++ });
  for (let sent = 0; sent < 10; sent++) await requests.countFailure(address);
  await assert.rejects(requests.countFailure(address), isRefusal);
  await requests.countFailure("192.0.2.2");
  assert.equal(refused, 1);
});

test("countFailure() slows refusals, and keeps no more than 256 waiting", async () => {
  const requests = createAnonymousRequests({ perSecond: 1, pauseMs: 60_000 });
  for (let sent = 0; sent < 10; sent++) await requests.countFailure(address);
  const waiting = Array.from({ length: 256 }, () => requests.countFailure(address));
  for (const one of waiting) one.catch(() => undefined);
  await assert.rejects(requests.countFailure(address), isRefusal);
  const first = await Promise.race([waiting[0]?.catch(() => "refused"), Promise.resolve("waits")]);
  assert.equal(first, "waits");
});

test("countPage() counts strangers and not this machine; Unix sockets have no limit", async () => {
  const requests = createAnonymousRequests({ perSecond: 1, pauseMs: 1 });
  for (let sent = 0; sent < 10; sent++) requests.countPage(address);
  assert.throws(() => requests.countPage(address), isRefusal);
  for (let sent = 0; sent < 50; sent++) {
    requests.countPage("127.0.0.1");
    requests.countPage(undefined);
    await requests.countFailure(undefined);
  }
});
