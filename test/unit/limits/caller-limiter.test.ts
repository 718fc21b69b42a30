import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { GatewayError } from "../../../src/errors.ts";
import { type CallerLimit, createCallerLimiter, type HeldLimit } from "../../../src/limits/caller-limiter.ts";

const [a, b] = [{ name: "a" }, { name: "b" }];

function refusal(act: () => unknown): GatewayError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof GatewayError);
    return error;
  }
  throw new Error("it was not refused");
}

const flags: { readonly [L in HeldLimit]: string } = {
  connections: "--caller-connections",
  sessions: "--caller-sessions",
  streams: "--caller-streams",
  pulls: "--caller-pulls",
  bodyBytes: "--caller-bodies",
};

for (const [limit, setting] of Object.entries(flags) as [HeldLimit, string][]) {
  test(`take() refuses what exceeds ${limit}, says which limit it is, and takes what is below`, () => {
    const refused: CallerLimit[] = [];
    const limiter = createCallerLimiter({
      defaults: () => ({ [limit]: 3 }),
      refused: (one) => refused.push(one),
    });
    const held = [limiter.take(limit, a), limiter.take(limit, a, 2)];
    const { status, members, headers, message } = refusal(() => limiter.take(limit, a));
    assert.equal(status, 429);
    assert.deepEqual(members, { limit, max: 3, setting });
    assert.equal(headers["retry-after"], "1");
    assert.match(message, /^Caller "a" uses 3 of its 3 .*\(--caller-/);
    limiter.take(limit, b, 3);
    held[0]?.release();
    held[0]?.release();
    limiter.take(limit, a);
    refusal(() => limiter.take(limit, a));
    assert.deepEqual(refused, [limit, limit]);
  });
}

test("take() forgets callers that hold nothing, and needs nothing where there is no limit", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ streams: 1 }) });
  for (let number = 0; number < 10_000; number++) {
    limiter.take("streams", { name: `caller ${number}` }).release();
    limiter.take("pulls", { name: `caller ${number}` });
  }
  assert.equal(limiter.size, 0);
});

test("resize() corrects what is held, and not what was released", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ bodyBytes: 100 }) });
  const body = limiter.take("bodyBytes", a, 100);
  body.resize(10);
  const other = limiter.take("bodyBytes", a, 90);
  body.release();
  body.resize(50);
  other.release();
  assert.equal(limiter.size, 0);
});

test("the limits of a token take the place of the defaults, and its refusal names it", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ streams: 1, pulls: 5 }) });
  const own = { name: "own", limits: { streams: 2 } };
  assert.deepEqual(limiter.limitsOf(own), { streams: 2, pulls: 5 });
  limiter.take("streams", own, 2);
  assert.equal(refusal(() => limiter.take("streams", own)).members.setting, "limits of the token");
});

test("callers of one account share its limits: more tokens are not more room", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ sessions: 2, requestsPerSecond: 1 }) });
  const tokens = Array.from({ length: 3 }, (_, number) => ({ name: `child ${number}`, account: "parent" }));
  const [first, second, third] = tokens as [(typeof tokens)[0], (typeof tokens)[0], (typeof tokens)[0]];
  limiter.take("sessions", first);
  limiter.take("sessions", second);
  assert.match(refusal(() => limiter.take("sessions", third)).message, /^Caller "parent"/);
  for (const token of [first, second]) limiter.request(token);
  refusal(() => limiter.request(third));
});

test("request() refuses beyond the rate with the time to wait, and no other caller", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ requestsPerSecond: 5 }) });
  for (let sent = 0; sent < 10; sent++) limiter.request(a);
  const { code, members, headers } = refusal(() => limiter.request(a));
  assert.equal(code, "too_many_requests");
  assert.deepEqual(members, { limit: "requestsPerSecond", max: 5, setting: "--caller-requests" });
  assert.equal(headers["retry-after"], "1");
  for (let sent = 0; sent < 10; sent++) limiter.request(b);
});

const socket = (): Socket => Object.assign(new EventEmitter(), { destroyed: false }) as unknown as Socket;

test("useConnection() counts a connection once, and until it closes", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ connections: 2 }) });
  const sockets = [socket(), socket()] as const;
  for (const one of sockets) for (let sent = 0; sent < 3; sent++) limiter.useConnection(one, a);
  const { headers } = refusal(() => limiter.useConnection(socket(), a));
  assert.equal(headers.connection, "close");
  sockets[0].emit("close");
  limiter.useConnection(socket(), a);
  refusal(() => limiter.useConnection(socket(), a));
});

test("useConnection() counts a connection of a proxy for the caller who used it last", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ connections: 1 }) });
  const proxied = socket();
  for (const caller of [a, b, a, b]) limiter.useConnection(proxied, caller);
  const mine = socket();
  limiter.useConnection(mine, a);
  refusal(() => limiter.useConnection(proxied, a));
  limiter.useConnection(proxied, b);
  proxied.emit("close");
  mine.emit("close");
  assert.equal(limiter.size, 0);
  assert.equal(proxied.listenerCount("close"), 0);
});

test("a connection that has ended is not counted: nothing would end it", () => {
  const limiter = createCallerLimiter({ defaults: () => ({ connections: 1 }) });
  limiter.useConnection(Object.assign(socket(), { destroyed: true }), a);
  assert.equal(limiter.size, 0);
});
