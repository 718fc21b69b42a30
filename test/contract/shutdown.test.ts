/** How a gateway ends: what is told to whom, what is waited for, and what is left. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime, hanging, held } from "../support/fake-runtime.ts";
import { type CrestProcess, spawnCrest } from "../support/spawn-crest.ts";
import { tempDir } from "../support/temp-dir.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

/** Begins a request whose answer waits for the runtime. */
async function underWay(gateway: LiveGateway) {
  const gate = held();
  gateway.fake.on("RuntimeService/Version", gate.answer);
  const answer = gateway.ask("GET /v1/version");
  await gate.arrived;
  return { gate, answer };
}

test("while answers are under way /readyz says 503, /livez 200, and all else is refused", async (t) => {
  const gateway = await liveGateway(t);
  assert.equal((await gateway.ask("GET /readyz")).status, 200);
  const { gate, answer } = await underWay(gateway);
  const closed = gateway.app.close(60_000);

  const ready = await gateway.ask("GET /readyz");
  assert.deepEqual([ready.status, ready.text], [503, "the gateway is shutting down\n"]);
  assert.equal(ready.headers.connection, "close");
  assert.equal((await gateway.ask("GET /livez")).status, 200);
  for (const target of ["GET /v1/pods", "GET /openapi.json", "GET /none", "POST /v1/pods"]) {
    const refused = await gateway.ask(target);
    assert.deepEqual(
      [refused.status, refused.at("code"), refused.at("retryable")],
      [503, "shutting_down", true],
    );
  }
  gate.release();
  const { status, headers } = await answer;
  assert.deepEqual([status, headers.connection], [200, "close"], "what was under way is answered");
  await closed;
  await assert.rejects(gateway.ask("GET /livez"), { code: "ECONNREFUSED" });
});

test("an answer that takes longer than the drain is cut off, and its call cancelled", async (t) => {
  const gateway = await liveGateway(t);
  gateway.fake.on("RuntimeService/Version", hanging());
  const answer = gateway.ask("GET /v1/version").catch((error: Error) => error);
  const call = await eventually(() => gateway.fake.callsOf("RuntimeService/Version")[0]);
  await gateway.app.close(50);
  assert.ok((await answer) instanceof Error);
  await eventually(() => call.cancelled);
});

test("whoever is in a hurry cuts the drain short", async (t) => {
  const gateway = await liveGateway(t);
  gateway.fake.on("RuntimeService/Version", hanging());
  const answer = gateway.ask("GET /v1/version").catch((error: Error) => error);
  await eventually(() => gateway.fake.callsOf("RuntimeService/Version").length === 1);
  await gateway.app.close(3_600_000, Promise.resolve());
  assert.ok((await answer) instanceof Error);
});

test("connections that say nothing do not hold the end up", async (t) => {
  const gateway = await liveGateway(t);
  const silent = connect({ port: gateway.port, host: "127.0.0.1" });
  const half = connect({ port: gateway.port, host: "127.0.0.1" });
  for (const socket of [silent, half]) {
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  half.write("GET /livez HT");
  await gateway.ask("GET /livez");
  await gateway.app.close(3_600_000);
});

test("a refused CONNECT whose client stays does not hold the end up", async (t) => {
  const gateway = await liveGateway(t);
  const socket = connect({ port: gateway.port, host: "127.0.0.1", allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on("error", () => undefined).write("CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await new Promise((resolve) => socket.once("end", resolve).resume());
  await gateway.app.close(3_600_000);
});

interface Served {
  readonly fake: FakeRuntime;
  readonly crest: CrestProcess;
  readonly address: string;
  readonly dataDir: string;
  readonly args: readonly string[];
}

const ready = /^Crest is ready at (\S+)$/m;

/** `crest serve`, a process of its own. */
async function served(t: TestContext, ...more: readonly string[]): Promise<Served> {
  const fake = await createFakeRuntime({ manner: "containerd-2.1" });
  const dataDir = await tempDir(t);
  const args = [
    ...["serve", `--runtime-endpoint=${fake.socket}`, `--data-dir=${dataDir}`, "-A"],
    ...["--listen=127.0.0.1:0", ...more],
  ];
  const crest = spawnCrest(args, { ready });
  t.after(async () => {
    await crest.stop();
    await fake.close();
  });
  return { ...{ fake, crest, dataDir, args }, address: await crest.ready };
}

/** Asks what the runtime never answers. */
async function unanswered({ fake, address, dataDir }: Served): Promise<Promise<unknown>> {
  fake.on("RuntimeService/ListPodSandbox", hanging());
  const token = readFileSync(join(dataDir, "token"), "utf8").trim();
  const answer = fetch(`${address}/v1/pods`, { headers: { authorization: `Bearer ${token}` } });
  const ended = answer.then(
    ({ status }) => status,
    () => "cut off",
  );
  await eventually(() => fake.callsOf("RuntimeService/ListPodSandbox").length > 0);
  return Promise.resolve(ended);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} ends an idle gateway with 0, and gives its folder free`, async (t) => {
    const { crest, dataDir } = await served(t, "--drain=1h");
    assert.ok(existsSync(join(dataDir, "gateway.lock")));
    crest.kill(signal);
    assert.deepEqual(await crest.exit, { code: 0, signal: null });
    assert.match(crest.stdout(), new RegExp(`\n${signal}: stopping\n$`));
    assert.equal(crest.stderr(), "");
    assert.ok(!existsSync(join(dataDir, "gateway.lock")));
  });
}

test("a drain that is over ends the gateway with 0, whatever is under way", async (t) => {
  const gateway = await served(t, "--drain=100ms");
  const answer = unanswered(gateway);
  await eventually(() => gateway.fake.callsOf("RuntimeService/ListPodSandbox").length > 0);
  gateway.crest.kill("SIGTERM");
  assert.equal(await answer, "cut off");
  assert.deepEqual(await gateway.crest.exit, { code: 0, signal: null });
});

test("a second signal ends the drain at once", async (t) => {
  const gateway = await served(t, "--drain=1h");
  const answer = unanswered(gateway);
  await eventually(() => gateway.fake.callsOf("RuntimeService/ListPodSandbox").length > 0);
  gateway.crest.kill("SIGTERM");
  await eventually(async () => (await fetch(`${gateway.address}/readyz`)).status === 503);
  gateway.crest.kill("SIGTERM");
  assert.equal(await answer, "cut off");
  assert.deepEqual(await gateway.crest.exit, { code: 0, signal: null });
});

test("a second gateway on the same folder is refused with the pid of the first, a later one is not", async (t) => {
  const { crest, args, dataDir, address } = await served(t);
  const second = spawnCrest(args, { ready });
  assert.equal((await second.exit).code, 1);
  const lock = join(dataDir, "gateway.lock");
  const refusal = `The data folder is in use by process ${crest.pid}: its lock is ${lock}, choose another with --data-dir`;
  assert.equal(second.output(), `crest: ${refusal}\n`);
  assert.equal((await fetch(`${address}/livez`)).status, 200);
  crest.kill("SIGKILL");
  await crest.exit;
  const third = spawnCrest(args, { ready });
  await third.ready;
  assert.equal((await third.stop()).code, 0);
});
