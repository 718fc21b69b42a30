/** A start is refused when another user could change what it takes: the attacker is `nobody`, the gateway root. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseCommandLine } from "../../src/config.ts";
import { StartError } from "../../src/errors.ts";
import { type Ending, runGateway } from "../../src/gateway.ts";
import { createAuthority } from "../support/spdy-certificate.ts";
import { type AfterTest, tempDir } from "../support/temp-dir.ts";

const nobody = 65534;
const skip = process.geteuid?.() === 0 ? false : "needs root, to give files to another user";

interface World {
  readonly folder: string;
  /** Flags of a gateway that starts. */
  readonly flags: readonly string[];
}

/** Everything that a start takes, as it should be, in a folder as /tmp is. */
async function world(t: AfterTest): Promise<World> {
  const folder = await tempDir(t);
  const path = (name: string) => join(folder, name);
  const { cert, key } = createAuthority("of the test").issue("node");
  const files = { "tls/tls.crt": cert, "tls/tls.key": key, "tls/clients.crt": cert, "streams.crt": cert };
  mkdirSync(path("tls"));
  for (const [name, text] of Object.entries(files)) writeFileSync(path(name), text, { mode: 0o600 });
  writeFileSync(path("crest.env"), "CREST_ALLOW_READ=true\n");
  mkdirSync(path("data"), { mode: 0o700 });
  writeFileSync(path("data/token"), "a-token-of-enough-characters", { mode: 0o600 });
  mkdirSync(path("data/logs"));
  mkdirSync(path("sockets"));
  chmodSync(folder, 0o1777);
  return {
    folder,
    flags: [
      `--data-dir=${path("data")}`,
      `--config=${path("crest.env")}`,
      `--stream-ca=${path("streams.crt")}`,
      `--runtime-endpoint=${path("absent.sock")}`,
    ],
  };
}

const secure = (folder: string): readonly string[] => [
  "--listen=127.0.0.1:0",
  `--tls-cert=${join(folder, "tls/tls.crt")}`,
  `--tls-key=${join(folder, "tls/tls.key")}`,
  `--tls-client-ca=${join(folder, "tls/clients.crt")}`,
];
const onSocket = (folder: string): readonly string[] => [`--listen=unix:${join(folder, "sockets", "crest")}`];

/** `crest COMMAND FLAGS` in this process, without the environment; it ends as soon as it listens. */
async function startAndStop(command: "up" | "serve", flags: readonly string[]): Promise<Ending> {
  const parsed = parseCommandLine([command, ...flags], {});
  assert.ok("config" in parsed);
  return await runGateway(parsed.config, {
    say: () => undefined,
    log: () => undefined,
    texts: () => ({ ready: () => "", waiting: () => "" }),
    stopRequested: Promise.resolve("the test is over"),
    stopAgain: new Promise(() => undefined),
  });
}

/** What is changed, and how the refusal then begins. */
const attacks: { readonly [name: string]: (path: (name: string) => string) => RegExp } = {
  "a data folder of nobody's, with a token of theirs": (path) => {
    for (const name of ["data", "data/token"]) chownSync(path(name), nobody, nobody);
    return /^Cannot use the data folder \S+\/data: \S+\/data belongs to user 65534, .*: run chown root \S+ if you trust it, or choose another with --data-dir$/;
  },
  "a data folder that everyone may write to": (path) => {
    chmodSync(path("data"), 0o1777);
    return /^Cannot use the data folder \S+\/data: \S+\/data has mode 1777, /;
  },
  "a folder of logs that everyone may write to": (path) => {
    chmodSync(path("data/logs"), 0o777);
    return /^Cannot use the data folder \S+\/data: \S+\/data\/logs has mode 777, so others can add files to it: run chmod go-w \S+\/data\/logs, or choose another with --data-dir$/;
  },
  "a token of nobody's": (path) => {
    chownSync(path("data/token"), nobody, nobody);
    return /^Cannot read the token file \S+\/token: \S+\/token belongs to user 65534, /;
  },
  "a file of variables of nobody's": (path) => {
    chownSync(path("crest.env"), nobody, nobody);
    return /^--config=\S+: cannot be read: \S+\/crest\.env belongs to user 65534, /;
  },
  "a certificate authority that everyone may write": (path) => {
    chmodSync(path("tls/clients.crt"), 0o666);
    return /^--tls-client-ca: cannot read \S+: \S+\/clients\.crt has mode 666, so others can write to it: run chmod go-w \S+\/clients\.crt$/;
  },
  "a key of nobody's": (path) => {
    chownSync(path("tls/tls.key"), nobody, nobody);
    return /^--tls-key: cannot read \S+: \S+\/tls\.key belongs to user 65534, /;
  },
  "a certificate in a folder where everyone may replace it": (path) => {
    chmodSync(path("tls"), 0o777);
    return /^--tls-cert: cannot read \S+: \S+\/tls has mode 777, so others can replace what is below it: run chmod go-w \S+\/tls$/;
  },
  "an authority of the runtime's streams of nobody's": (path) => {
    chownSync(path("streams.crt"), nobody, nobody);
    return /^--stream-ca: cannot read \S+: \S+\/streams\.crt belongs to user 65534, /;
  },
  "a folder of the socket where everyone may put one": (path) => {
    chmodSync(path("sockets"), 0o1777);
    return /^Cannot listen on \S+\/sockets\/crest: \S+\/sockets has mode 1777, .*, or choose another with --listen$/;
  },
};

for (const [name, attack] of Object.entries(attacks)) {
  test(`a start is refused with ${name}`, { skip }, async (t) => {
    const { folder, flags } = await world(t);
    const listening = name.includes("socket") ? onSocket(folder) : secure(folder);
    const refusal = attack((part) => join(folder, part));
    await assert.rejects(startAndStop("serve", [...flags, ...listening]), (error: unknown) => {
      assert.ok(error instanceof StartError, String(error));
      assert.match(error.message, refusal);
      return true;
    });
    assert.deepEqual(readdirSync(join(folder, "data")), ["logs", "token"], "nothing is made or left");
    assert.deepEqual(readdirSync(join(folder, "sockets")), []);
  });
}

test("crest up is refused on a data folder of another user before it starts anything", {
  skip,
}, async (t) => {
  const { folder } = await world(t);
  chownSync(join(folder, "data"), nobody, nobody);
  const up = startAndStop("up", [`--data-dir=${join(folder, "data")}`, "--listen=127.0.0.1:0"]);
  await assert.rejects(up, /^StartError: Cannot use the data folder \S+: \S+\/data belongs to user 65534, /);
});

test("a start takes all of it when it belongs to root and nobody else may write it", { skip }, async (t) => {
  for (const listening of [secure, onSocket]) {
    const { folder, flags } = await world(t);
    const ending = await startAndStop("serve", [...flags, ...listening(folder)]);
    assert.equal(ending.failed, false);
  }
});

test("a data folder where no folder can be made is refused, and does not keep a processor busy", {
  skip: process.platform !== "linux" && "needs /proc",
}, async () => {
  const start = startAndStop("serve", ["--data-dir=/proc/nope", "--runtime-endpoint=/absent"]);
  await assert.rejects(
    start,
    new StartError("Cannot use the data folder /proc/nope: ENOENT, choose another with --data-dir"),
  );
});
