/** The units of deploy/systemd: what systemd's own programs say of them, and the command that they run. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { repositoryRoot } from "../support/repository.ts";
import { createApi } from "./support/api.ts";
import { newFolder, readyLine, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { crestCommand, type Program, runToEnd, start } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip({ systemd: true });
const runtime = useGateway(skip);

const folder = newFolder();
const programs = new Set<Program>();
after(async () => {
  for (const program of programs) await stop(program);
  await removeFolder(folder);
});

async function stop(program: Program): Promise<void> {
  programs.delete(program);
  program.killGroup("SIGTERM");
  await program.ended;
}

function begin(...argv: readonly [string, ...string[]]): Program {
  const program = start(argv);
  programs.add(program);
  return program;
}

const units = join(repositoryRoot(), "deploy", "systemd");
const service = readFileSync(join(units, "crest.service"), "utf8");
/** What stands behind a name in the unit, line by line. */
const valuesOf = (name: string): readonly string[] =>
  Array.from(service.matchAll(new RegExp(`^${name}=(.+)$`, "gm")), ([, value = ""]) => value);

test("systemd-analyze verifies the units without a word", { skip }, async () => {
  copyFileSync(join(units, "crest.socket"), join(folder, "crest.socket"));
  // The program need not be installed where the tests run.
  writeFileSync(join(folder, "crest.service"), service.replace("/usr/local/bin/crest", process.execPath));
  const { code, stdout, stderr } = await runToEnd([
    ...(["systemd-analyze", "verify", "--recursive-errors=no", "--man=no"] as const),
    ...[join(folder, "crest.service"), join(folder, "crest.socket")],
  ]);
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
});

test("the exposure that systemd-analyze finds in the service is 2.0 at most", { skip }, async () => {
  const analyze = ["systemd-analyze", "security", "--offline=yes", "--threshold=20"] as const;
  const { code, stdout } = await runToEnd([...analyze, join(units, "crest.service")]);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /Overall exposure level for crest\.service: ([01]\.\d|2\.0) /);
});

/** The service's command with its variables, and what a /etc/crest/crest.env would add. */
function commandOf(name: string): { argv: readonly [string, ...string[]]; env: readonly string[] } {
  const [exec = ""] = valuesOf("ExecStart");
  const [program, ...args] = exec.split(" ");
  assert.equal(program, "/usr/local/bin/crest");
  const added = [
    ...[`CREST_DATA_DIR=${join(folder, name)}`, "CREST_ALLOW_READ=true"],
    `CREST_RUNTIME_ENDPOINT=${join(runtime().dataDir, "containerd.sock")}`,
  ];
  const names = added.map((one) => one.split("=")[0]);
  const own = valuesOf("Environment").filter((one) => !names.includes(one.split("=")[0]));
  return { argv: crestCommand(...args), env: [...own, ...added] };
}

/** Root without any of its capabilities, as CapabilityBoundingSet= leaves it. */
const bounded = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"] as const;

/** Prints the datagrams that come to a socket: perl is part of every Debian. */
const receiver = `use IO::Socket::UNIX; $| = 1;
  my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
  print "bound\\n";
  while (defined $s->recv(my $datagram, 4096)) { print "<$datagram>\\n" }`;

test("the command serves on the socket it is given, without capabilities, and tells systemd that it does", {
  skip,
}, async () => {
  assert.deepEqual(valuesOf("CapabilityBoundingSet"), [], "nothing stands behind it");
  const { argv, env } = commandOf("notify");
  const notifySocket = join(folder, "notify.sock");
  const told = begin("perl", "-e", receiver, notifySocket);
  await told.until(/bound/);
  const port = await freePort();
  const activated = begin(
    ...(["systemd-socket-activate", `--listen=127.0.0.1:${port}`] as const),
    ...[...env, `NOTIFY_SOCKET=${notifySocket}`, "WATCHDOG_USEC=400000"].map((one) => `--setenv=${one}`),
    ...[...bounded, ...argv],
  );
  // It is the first connection that starts it, which then waits for its answer.
  let answer: unknown;
  for (let tries = 0; answer === undefined && tries < 100; tries++) {
    const { code, stdout } = await runToEnd(["curl", "--silent", `http://127.0.0.1:${port}/livez`]);
    if (code === 0) answer = stdout;
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(answer, "ok\n");
  await told.until(/READY=1\n/);
  await told.until(/STATUS=Serves http:\/\/127\.0\.0\.1:\d+ in front of containerd \S+ at /);
  const token = readFileSync(join(folder, "notify", "token"), "utf8").trim();
  const api = createApi(`http://127.0.0.1:${port}`, token);
  assert.equal((await api.get("/v1/pods")).status, 200);
  api.close();
  await told.until(/READY=1.*<WATCHDOG=1>.*<WATCHDOG=1>/s);
  programs.delete(activated);
  activated.killGroup("SIGTERM");
  assert.equal((await activated.ended).code, 0);
  await told.until(/STOPPING=1/);
});

test("a gateway that hangs is killed without a core file, and started again", { skip }, () => {
  assert.deepEqual(valuesOf("WatchdogSec"), ["60s"]);
  assert.deepEqual(valuesOf("WatchdogSignal"), ["SIGKILL"], "a core file would hold the token");
  assert.deepEqual(valuesOf("Restart"), ["on-failure"], "which a missed watchdog is");
});

/** What systemd does: listens on descriptor 3, and starts the command again when it has ended. */
const supervisor = `use IO::Socket::INET; $| = 1; $^F = 3;
  my $s = IO::Socket::INET->new(Listen => 128, LocalAddr => "127.0.0.1") or die $!;
  die "not descriptor 3" unless fileno($s) == 3;
  printf "port %d\\n", $s->sockport;
  for my $round (1 .. 2) {
    my $pid = fork;
    if ($pid == 0) { exec @ARGV }
    print "pid $pid\\n";
    waitpid $pid, 0;
    printf "ended with %d\\n", $?;
  }`;

test("while one gateway follows another on the socket no connection is refused", { skip }, async () => {
  const { argv, env } = commandOf("upgrade");
  const supervised = begin("env", ...env, "perl", "-e", supervisor, "--", ...argv);
  const [, port = ""] = await supervised.until(/^port (\d+)$/m);
  const [, first = ""] = await supervised.until(/^pid (\d+)$/m);
  await supervised.until(readyLine);
  let isOver = false;
  const codes: number[] = [];
  const asking = (async () => {
    while (!isOver) {
      const { status } = await fetch(`http://127.0.0.1:${port}/livez`, { headers: { connection: "close" } });
      codes.push(status);
    }
  })();
  process.kill(Number(first), "SIGTERM");
  await supervised.until(/^ended with 0$/m);
  await supervised.until(/Crest is ready.+Crest is ready/s);
  isOver = true;
  await asking;
  assert.deepEqual(new Set(codes), new Set([200]));
  const [, second = ""] = await supervised.until(/^pid \d+$.+^pid (\d+)$/ms);
  process.kill(Number(second), "SIGTERM");
  programs.delete(supervised);
  assert.equal((await supervised.ended).code, 0);
  assert.equal(supervised.stdout().match(/^ended with 0$/gm)?.length, 2);
});

test("a socket that is not loopback is refused without TLS", { skip }, async () => {
  const { argv, env } = commandOf("bare");
  const inside = 'ip link set lo up && exec "$@"';
  const { code, stdout } = await runToEnd([
    ...(["unshare", "--net", "sh", "-c", inside, "sh", "env", ...env, "perl", "-e"] as const),
    ...[supervisor.replace("127.0.0.1", "0.0.0.0").replace("1 .. 2", "1 .. 1"), "--", ...argv],
  ]);
  assert.equal(code, 0);
  assert.match(stdout, /ended with 256\n/);
  assert.doesNotMatch(stdout, /is ready/);
});
