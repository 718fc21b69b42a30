/** How sessions on the real containerd end: whoever leaves, dies or is killed, each side ends within bounds. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { listProcesses } from "../../src/embedded/processes.ts";
import { eventually, untilStill } from "../support/eventually.ts";
import {
  channel,
  command,
  exitCodeOf,
  openSession,
  type Place,
  type Query,
  refusal,
  runtimeMajor,
  type Session,
  type Status,
  v4,
} from "./clients/session.ts";
import { assertDone, problemOf } from "./support/api.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

/** Sessions at once, and no more. */
const many = 200;

const skip = await reasonToSkip();
let pod: Resource;
let container: Resource;
/** containerd 2 kills what runs in a session that was dropped, 1.x never does. */
let killsAbandoned = false;
const crest = useGateway(skip, {
  // Hardly any grace: a status that is late must not need it.
  args: [`--max-sessions=${many}`, "--status-grace=1ms"],
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod);
    killsAbandoned = (await runtimeMajor(gateway)) >= 2;
  },
});

/** What the sides have to notice that another has gone. */
const bounds = { timeoutMs: 10_000, intervalMs: 20 };
const busy = { timeoutMs: 60_000, intervalMs: 50 };

/** Another gateway, in front of the containerd of `upper`; stopped when the test ends. */
async function beside(t: TestContext, upper: Gateway, args: readonly string[] = []): Promise<Gateway> {
  const endpoint = `--runtime-endpoint=${join(upper.dataDir, "containerd.sock")}`;
  const gateway = await startGateway("serve", { args: [endpoint, "-A", ...args] });
  t.after(() => gateway.close());
  return gateway;
}

function open(place: Place, query: Query): Promise<Session> {
  return openSession(place, `${container.path}/exec`, { query });
}

/** A number that no other process of the machine has among its arguments. */
const newMark = () => String(randomInt(10 ** 9, 10 ** 10));
const pidOf = (mark: string) => listProcesses().find(({ argv }) => argv.at(-1) === mark)?.pid;

/** A session with a process that runs for ever, once it does. */
async function sleeping(place: Place, others: Query = {}): Promise<{ session: Session; mark: string }> {
  const mark = newMark();
  const session = await open(place, command(["sleep", mark], others));
  await eventually(() => pidOf(mark), bounds);
  return { session, mark };
}

/** Asserts what becomes of a process whose session was dropped. */
async function assertAbandoned(mark: string): Promise<void> {
  if (killsAbandoned) {
    await eventually(() => pidOf(mark) === undefined, bounds);
    return;
  }
  // A whole command through the same runtime: it had the time to kill.
  await exec(crest(), container, "true");
  assert.notEqual(pidOf(mark), undefined);
}

/** Connections that a process holds, listening ones included. */
function socketsOf(pid: number | undefined): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(join(folder, fd)).startsWith("socket:");
    } catch {
      return false; // Closed meanwhile.
    }
  }).length;
}

for (const [way, leave] of [
  ["closes", (session: Session) => session.close()],
  ["drops the connection", (session: Session) => session.socket.terminate()],
] as const) {
  test(`a client that ${way} leaves no command running on containerd 2, and one on 1.x`, {
    skip,
  }, async () => {
    const before = socketsOf(crest().process.pid);
    for (const streams of [{}, { stdin: true, stdout: true }, { stdin: true, stdout: true, tty: true }]) {
      const { session, mark } = await sleeping(crest(), streams);
      await leave(session);
      await eventually(() => socketsOf(crest().process.pid) <= before, bounds);
      await assertAbandoned(mark);
    }
  });
}

test("a client that is killed ends its session", { skip }, async (t) => {
  const before = socketsOf(crest().process.pid);
  const mark = newMark();
  const client = holdSession(crest(), `${container.path}/exec`, command(["sleep", mark], { stdin: true }));
  t.after(() => client.kill("SIGKILL"));
  await once(client.stdout ?? client, "data");
  await eventually(() => pidOf(mark), bounds);
  client.kill("SIGKILL");
  await eventually(() => socketsOf(crest().process.pid) <= before, bounds);
  await assertAbandoned(mark);
});

/** A client in a process of its own, beside this file whether compiled or not. */
function holdSession({ address, token }: Place, path: string, query: Query): ChildProcess {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  const program = fileURLToPath(new URL(`./clients/held-session${extension}`, import.meta.url));
  return spawn(process.execPath, [program, address, path, JSON.stringify(query)], {
    env: { ...process.env, HELD_TOKEN: token },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test("a gateway that is killed drops its clients, and containerd 2 ends their commands", {
  skip,
}, async (t) => {
  const gateway = await beside(t, crest());
  const { session, mark } = await sleeping(gateway, { stdin: true, stdout: true });
  gateway.process.kill("SIGKILL");
  assert.equal((await session.ended).code, 1006);
  await assertAbandoned(mark);
});

/** So long that a gateway which waited for its sessions would be noticed. */
const longDrain = ["--drain=5m"];

test("a gateway that is stopped says 1001 to every session and does not wait for them", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const gateway = await beside(t, crest(), longDrain);
  const { session, mark } = await sleeping(gateway, { stdin: true });
  const attached = await openSession(gateway, `${container.path}/attach`);
  const forwarded = await openSession(gateway, `${pod.path}/portforward`, {
    subprotocols: [v4],
    query: { ports: 7 },
  }).catch(() => undefined);
  gateway.process.kill("SIGTERM");
  for (const one of [session, attached]) {
    assert.deepEqual(await one.ended, { code: 1001, reason: "the gateway is shutting down" });
  }
  await forwarded?.ended;
  assert.deepEqual(await gateway.process.exit, { code: 0, signal: null });
  await assertAbandoned(mark);
});

/** Types what nobody reads, until it is on its way in every pipe and buffer. It goes on until the session ends. */
async function typeUntilHeld(session: Session): Promise<{ readonly over: Promise<void> }> {
  const chunk = Buffer.alloc(64 * 1024);
  let sent = 0;
  const over = (async () => {
    for (;;) {
      await session.type(chunk);
      sent += chunk.length;
    }
  })().catch(() => undefined);
  await untilStill(() => sent);
  return { over };
}

test("a gateway that is stopped does not wait for a client whose input nobody reads", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const gateway = await beside(t, crest(), longDrain);
  const { session } = await sleeping(gateway, { stdin: true });
  const typing = await typeUntilHeld(session);
  gateway.process.kill("SIGTERM");
  assert.equal((await session.ended).code, 1001);
  await typing.over;
  assert.deepEqual(await gateway.process.exit, { code: 0, signal: null });
});

test("a runtime that is killed ends its sessions with 1012, and new ones are refused", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const own = await startGateway("up");
  t.after(() => {
    own.process.kill("SIGCONT");
    return own.close();
  });
  const gateway = await beside(t, own);
  const ownPod = await runPod(own);
  const ownContainer = await runContainer(own, ownPod, shell("nc -ll -p 7000 -e cat & sleep 3600"));
  const executed = await openSession(gateway, `${ownContainer.path}/exec`, {
    query: command("echo $$; sleep 3600"),
  });
  await executed.until(/\d+\n/);
  const attached = await openSession(gateway, `${ownContainer.path}/attach`);
  const forwarded = await openSession(gateway, `${ownPod.path}/portforward`, {
    subprotocols: [v4],
    query: { ports: 7000 },
  });
  await forwarded.send(0, "echo");
  await eventually(() => forwarded.bytes(0).subarray(2).toString() === "echo", bounds);

  const config = `${own.dataDir}/containerd.toml`;
  const containerd = listProcesses().find(({ argv }) => argv[0] === "containerd" && argv.includes(config));
  assert.ok(containerd);
  // It would start its containerd again.
  own.process.kill("SIGSTOP");
  process.kill(containerd.pid, "SIGKILL");
  for (const session of [executed, attached, forwarded]) {
    assert.deepEqual(await session.ended, { code: 1012, reason: "the runtime went away" });
  }
  const status: Status = JSON.parse(executed.text(channel.status));
  assert.match(`${status.reason}: ${status.message}`, /^InternalError: exit unknown/);
  const answer = await refusal(gateway, `${ownContainer.path}/exec`, { query: command(["true"]) });
  problemOf(answer, 503, "runtime_unavailable");
});

test("much unread stdin hides the exit code: after the grace the status says so", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const gateway = await beside(t, crest(), ["--status-grace=1s"]);
  const go = `/tmp/go-${newMark()}`;
  const script = `until [ -e ${go} ]; do sleep 0.05; done; echo done; exit 7`;
  const session = await open(gateway, command(script, { stdin: true, stdout: true }));
  const typing = await typeUntilHeld(session);
  await exec(crest(), container, `touch ${go}`);
  const status = await session.status();
  await typing.over;
  assert.equal(session.text(), "done\n");
  assert.equal(status.status, "Failure");
  assert.match(`${status.reason}: ${status.message}`, /^InternalError: exit unknown/);
});

test("an exit code that is late is waited for, however little grace there is", { skip }, async () => {
  const wanted = Array.from({ length: 20 }, (_, index) => index);
  const codes = await Promise.all(
    wanted.map(async (index) => {
      const session = await open(crest(), command(`read line; exit ${index}`, { stdin: true, stdout: true }));
      await session.type("go\n");
      return exitCodeOf(await session.status());
    }),
  );
  assert.deepEqual(codes, wanted);
});

test("a container that is killed ends the commands in it", { skip }, async () => {
  const doomed = await runContainer(crest(), pod);
  const session = await openSession(crest(), `${doomed.path}/exec`, {
    query: command("echo in; sleep 3600", { stdin: true, stdout: true }),
  });
  await session.until(/in\n/);
  assertDone(await crest().post(`${doomed.path}/stop?timeout=0`));
  assert.equal(exitCodeOf(await session.status()), 137);
});

test("sessions over the limit are refused, and each that ends gives its place back", { skip }, async (t) => {
  const most = 3;
  const gateway = await beside(t, crest(), [`--max-sessions=${most}`]);
  const path = `${container.path}/attach`;
  for (const leave of [(one: Session) => one.close(), (one: Session) => one.socket.terminate()]) {
    const sessions = await eventually(
      () => Promise.all(Array.from({ length: most }, () => openSession(gateway, path))),
      bounds,
    );
    problemOf(await refusal(gateway, path), 429, "too_many_sessions");
    await Promise.all(sessions.map(leave));
  }
  // What is refused takes no place.
  problemOf(await refusal(gateway, `/v1/containers/${"f".repeat(64)}/attach`), 404, "not_found");
  const again = await eventually(() => openSession(gateway, path), bounds);
  await again.close();
});

test(`${many} sessions at once: none is lost, and nothing of them is left`, { skip }, async (t) => {
  const mark = newMark();
  const running = () => listProcesses().filter(({ argv }) => argv.includes(mark)).length;
  // One shim serves a pod, and containerd 1.6's takes minutes for so many in one.
  const containers = await Promise.all(
    Array.from({ length: 10 }, async () => runContainer(crest(), await runPod(crest()))),
  );
  const before = socketsOf(crest().process.pid);
  /** Every fourth leaves without a word, in the midst of its command. */
  const leaves = (index: number) => index % 4 === 3;
  const indexes = Array.from({ length: many }, (_, index) => index);
  const begunMs = performance.now();
  await Promise.all(
    indexes.map(async (index) => {
      const tty = index % 8 < 4;
      const query = command(["sh", "-s", mark], { stdin: true, stdout: true, stderr: !tty, tty });
      const session = await openSession(crest(), `${containers[index % 10]?.path}/exec`, { query });
      await session.type(`echo "<$((${index} * 7))>"\n`);
      await session.until(new RegExp(`<${index * 7}>`), busy);
      if (leaves(index)) {
        session.socket.terminate();
        return;
      }
      await session.type(`exit ${index % 100}\n`);
      const status = await session.status();
      assert.equal(exitCodeOf(status), index % 100, JSON.stringify(status));
    }),
  );
  t.diagnostic(`${many} sessions in ${Math.round(performance.now() - begunMs)} ms`);
  await eventually(() => socketsOf(crest().process.pid) <= before, bounds);
  // Of those that left, 1.x ends what reads the end of its input, and no other.
  const most = killsAbandoned ? 0 : indexes.filter(leaves).length;
  await eventually(() => running() <= most, bounds);
  t.diagnostic(`${running()} processes left`);

  // Only when each has given its place back do as many find one.
  const others = await Promise.all(
    indexes.map(() => openSession(crest(), `${container.path}/attach`, { query: { stderr: true } })),
  );
  await Promise.all(others.map((session) => session.close()));
});

test("commands at once in one pod each end with their own exit status", { skip }, async (t) => {
  // Of many more, 1.6 tells one exit a second, whoever asks: 50 took 51 s through Crest and 53 s without it,
  // 200 took 333 s, each with its status.
  const count = killsAbandoned ? many : 24;
  const begunMs = performance.now();
  const codes = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const session = await open(crest(), command(`echo "<${index}>"; exit ${index % 100}`));
      const code = exitCodeOf(await session.status());
      assert.equal(session.text(), `<${index}>\n`);
      return code;
    }),
  );
  assert.deepEqual(
    codes,
    codes.map((_, index) => index % 100),
  );
  t.diagnostic(`${count} commands in ${Math.round(performance.now() - begunMs)} ms`);
});
