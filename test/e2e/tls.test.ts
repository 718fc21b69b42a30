/** TLS in front of a real containerd, with curl as its client: on loopback, and on an address that is not. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createAuthority } from "../support/spdy-certificate.ts";
import { newFolder, readyLine, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { crestCommand, type Ended, type Program, runToEnd, start } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const runtime = useGateway(skip);

const folder = newFolder();
const file = (name: string): string => join(folder, name);
const programs = new Set<Program>();
before(() => {
  const authority = createAuthority("authority");
  writeFileSync(file("ca.crt"), authority.cert);
  for (const name of ["tls", "client"]) {
    const { cert, key } = authority.issue(name);
    writeFileSync(file(`${name}.crt`), cert);
    writeFileSync(file(`${name}.key`), key, { mode: 0o600 });
  }
});
after(async () => {
  for (const program of programs) await stop(program);
  await removeFolder(folder);
});

const flags = () => [
  ...[`--runtime-endpoint=${join(runtime().dataDir, "containerd.sock")}`, `--data-dir=${file("data")}`],
  ...[`--tls-cert=${file("tls.crt")}`, `--tls-key=${file("tls.key")}`, "--allow-read"],
];

async function serve(
  ...argv: readonly [string, ...string[]]
): Promise<{ program: Program; address: string }> {
  const program = start(argv);
  const [, address = ""] = await program.until(readyLine);
  programs.add(program);
  return { program, address };
}

async function stop(program: Program): Promise<Ended> {
  programs.delete(program);
  program.killGroup("SIGTERM");
  return await program.ended;
}

const curl = (...args: readonly string[]): Promise<Ended> => {
  const token = readFileSync(join(file("data"), "token"), "utf8").trim();
  return runToEnd([
    "curl",
    "--silent",
    "--show-error",
    "--header",
    `Authorization: Bearer ${token}`,
    ...args,
  ]);
};

test("curl --cacert reads containerd's version over TLS, and the lines that are printed work", {
  skip,
}, async () => {
  const { program, address } = await serve(...crestCommand("serve", "--listen=127.0.0.1:0", ...flags()));
  assert.match(address, /^https:\/\/127\.0\.0\.1:\d+$/);
  const trusted = await curl("--cacert", file("ca.crt"), `${address}/v1/version`);
  assert.equal(JSON.parse(trusted.stdout).runtimeName, "containerd", trusted.stderr);
  assert.equal((await curl(`${address}/v1/version`)).code, 60, "an authority that nobody knows");
  assert.equal(
    (await curl(`${address.replace("https", "http")}/v1/version`)).code,
    52,
    "no answer without TLS",
  );

  await program.until(/^ {2}tls {6}https and wss, \S+tls\.crt until \d{4}-/m);
  const lines = program
    .stdout()
    .split("\n")
    .filter((line) => line.startsWith("  curl "));
  assert.equal(lines.length, 3);
  for (const line of lines) {
    const { code, stderr } = await runToEnd(["bash", "-c", `${line} --silent --show-error --fail`]);
    assert.equal(code, 0, `${line}: ${stderr}`);
  }
  assert.equal((await stop(program)).code, 0);
});

test("with --tls-client-ca curl needs a certificate, too", { skip }, async () => {
  const clientCa = `--tls-client-ca=${file("ca.crt")}`;
  const { program, address } = await serve(
    ...crestCommand("serve", "--listen=127.0.0.1:0", clientCa, ...flags()),
  );
  const trusting = ["--cacert", file("ca.crt"), `${address}/v1/version`] as const;
  const known = await curl("--cert", file("client.crt"), "--key", file("client.key"), ...trusting);
  assert.equal(JSON.parse(known.stdout).runtimeName, "containerd", known.stderr);
  const unknown = await curl(...trusting);
  assert.notEqual(unknown.code, 0);
  assert.match(unknown.stderr, /alert|reset|receive/i);
  assert.equal((await stop(program)).code, 0);
});

/** In a network of its own, which nobody else reaches, with an address that is not loopback. */
const network = "ip link set lo up && ip addr add 10.9.8.7/32 dev lo";
const inNetwork = (...argv: readonly string[]): readonly [string, ...string[]] => [
  ...(["unshare", "--net", "sh", "-c"] as const),
  ...[`${network} && exec "$@"`, "sh", ...argv],
];

test("an address that is not loopback is served with TLS, under the names that were given", {
  skip,
}, async () => {
  const { program } = await serve(
    ...inNetwork(
      ...crestCommand("serve", "--listen=0.0.0.0:8443", "--accept-host=node7.example", ...flags()),
    ),
  );
  const inside = async (url: string, ...more: readonly string[]): Promise<Ended> => {
    const token = readFileSync(join(file("data"), "token"), "utf8").trim();
    const enter = ["nsenter", "--net", `--target=${program.pid}`] as const;
    const auth = ["--header", `Authorization: Bearer ${token}`];
    return await runToEnd([...enter, "curl", "--silent", "--show-error", ...auth, ...more, url]);
  };
  const resolve = ["--insecure", "--resolve", "node7.example:8443:10.9.8.7"];
  const named = await inside("https://node7.example:8443/v1/version", ...resolve);
  assert.equal(JSON.parse(named.stdout).runtimeName, "containerd", named.stderr);
  const other = await inside("https://10.9.8.7:8443/v1/version", "--insecure");
  assert.equal(JSON.parse(other.stdout).code, "host_not_allowed");
  assert.ok(program.stdout().includes("https://node7.example:8443/v1/version"), program.stdout());
  assert.equal((await stop(program)).code, 0);
});

test("a certificate that is no good is one sentence, before anything is started", { skip }, async () => {
  const crest = crestCommand("serve", `--data-dir=${file("data")}`, "--listen=127.0.0.1:0");
  const ended = await runToEnd([
    ...crest,
    `--tls-cert=${file("tls.crt")}`,
    `--tls-key=${file("client.key")}`,
  ]);
  const sentence = `--tls-key: ${file("client.key")} does not match ${file("tls.crt")}`;
  assert.deepEqual([ended.code, ended.stdout, ended.stderr], [1, "", `crest: ${sentence}\n`]);
});
