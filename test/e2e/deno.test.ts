/** The sources on Deno: `deno task serve` has the permissions that it needs, uses them all, and has no other. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { wellKnownSockets } from "../../src/runtimes/discover.ts";
import { repositoryRoot } from "../support/repository.ts";
import { command, exitCodeOf, openSession } from "./clients/session.ts";
import { type Api, bodyOf, createApi } from "./support/api.ts";
import { newFolder, readyLine, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, podStatus, removePodAndCgroup, runContainer, runPod } from "./support/pods.ts";
import { type Program, runToEnd, start } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const root = repositoryRoot();
const deno = ["npx", "--yes", "deno@2.9.6"] as const;
const { tasks } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")) as {
  readonly tasks: { readonly [name in "start" | "serve"]: { readonly command: string } };
};

const dataDir = newFolder();
/** Outside of what the permissions name. */
const elsewhere = newFolder();
const auditFile = join(elsewhere, "audit.jsonl");

let program: Program | undefined;
let api: Api;
let place: { readonly address: string; readonly token: string };
let socket: string;
let settings: { readonly [name: string]: string };
const upstream = useGateway(skip, {
  async prepare(gateway) {
    socket = join(gateway.dataDir, "containerd.sock");
    settings = { CREST_RUNTIME_ENDPOINT: socket, CREST_DATA_DIR: dataDir };
    program = start([...deno, "task", "serve", "--listen=127.0.0.1:0", "--allow-all"], {
      cwd: root,
      env: { ...settings, DENO_AUDIT_PERMISSIONS: auditFile },
    });
    const [, address = ""] = await program.until(readyLine);
    place = { address, token: readFileSync(join(dataDir, "token"), "utf8").trim() };
    api = createApi(address, place.token);
  },
});
after(async () => {
  api?.close();
  program?.killGroup("SIGTERM");
  await program?.ended;
  await removeFolder(dataDir);
  await removeFolder(elsewhere);
});

test("deno task start is deno task serve with the usual places", () => {
  const [usual = ""] = wellKnownSockets;
  assert.equal(
    tasks.start.command,
    `export CREST_RUNTIME_ENDPOINT=${usual} CREST_DATA_DIR=/var/lib/crest && deno task serve`,
  );
});

test("on Deno a pod runs, with commands by HTTP and by WebSocket, and a forwarded port", {
  skip,
}, async () => {
  const pod = await runPod(api);
  const container = await runContainer(api, pod, {
    command: ["sh", "-c", "while true; do echo served | nc -l -p 80; done"],
  });
  assert.equal((await podStatus(api, pod)).state, "SANDBOX_READY");
  assert.deepEqual(await exec(api, container, "echo out; echo err >&2; exit 3"), {
    ...{ exitCode: 3, stdout: "out\n", stderr: "err\n" },
    ...{ encoding: "utf8", lossy: false },
  });
  const session = await openSession(place, `${container.path}/exec`, {
    query: command("tr a-z A-Z; exit 4", { stdin: true, stdout: true }),
  });
  await session.type("through deno");
  await session.endInput();
  assert.equal(exitCodeOf(await session.status()), 4);
  assert.equal(session.text(), "THROUGH DENO");

  const forwarded = await openSession(place, `${pod.path}/portforward`, {
    ...{ query: { ports: 80, raw: true }, subprotocols: [], raw: true },
  });
  assert.equal(await forwarded.until(/served\n/), "served\n");
  await forwarded.close();
  await removePodAndCgroup(api, pod);
});

test("on Deno a body in YAML is taken", { skip }, async () => {
  const body = "metadata: {name: yaml}\nlog_directory: ''\nkind: Pod\n";
  const headers = { "content-type": "application/yaml" };
  const answer = await api.send("POST", "/v1/pods", { body, headers });
  bodyOf(answer, 201);
  assert.equal(answer.headers.warning, '299 - "unknown field \\"/kind\\""');
  const path = answer.headers.location ?? "";
  await removePodAndCgroup(api, { path, id: path.slice(path.lastIndexOf("/") + 1) });
});

test("on Deno the reference and the document are served", { skip }, async () => {
  for (const path of ["/openapi.json", "/docs", "/docs/assets/theme.css"]) bodyOf(await api.get(path));
});

test("each permission of the task is one that was used", { skip }, () => {
  const used = readFileSync(auditFile, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly permission: string; readonly value: string | null });
  const granted = tasks.serve.command.matchAll(/--(?:allow|ignore)-(\w+)=([^\s']+)/g);
  const unused = [...granted].flatMap(([, permission = "", values = ""]) =>
    values
      .split(",")
      .map((value) => value.replace("$CREST_RUNTIME_ENDPOINT", socket).replace("$CREST_DATA_DIR", dataDir))
      .map((value) => (/^[a-z]+[./]/.test(value) ? join(root, value) : value).replace(/\*$/, ""))
      .filter((value) => !used.some((one) => one.permission === permission && one.value?.startsWith(value)))
      .map((value) => `${permission} ${value}`),
  );
  assert.deepEqual(unused, []);
});

test("what the gateway does not need is refused under the task's permissions", { skip }, async () => {
  const tries = {
    "its token": "Deno.readTextFileSync(Deno.env.get('CREST_DATA_DIR') + '/token')",
    "a system file": "Deno.readTextFileSync('/etc/passwd')",
    "its own sources": "Deno.readTextFileSync('src/main.ts')",
    "a file's making": `Deno.writeTextFileSync(${JSON.stringify(join(elsewhere, "made"))}, '')`,
    "a host": "await fetch('http://192.0.2.1/')",
    "a name": "await Deno.connect({ hostname: 'registry.example', port: 443 })",
    "all addresses": "Deno.listen({ hostname: '0.0.0.0', port: 0 })",
    "another socket": "await Deno.connect({ transport: 'unix', path: '/run/systemd/notify' })",
    "a variable": "Deno.env.get('PATH')",
    "a program": "new Deno.Command('/bin/true').outputSync()",
    "the host's name": "Deno.hostname()",
  };
  const script = Object.entries(tries).map(
    ([name, code]) => `try { ${code}; said[${JSON.stringify(name)}] = 'permitted'; }
catch (error) { said[${JSON.stringify(name)}] = error.name; }`,
  );
  const probe = join(elsewhere, "probe.ts");
  const text = ["const said: Record<string, string> = {};", ...script, "console.log(JSON.stringify(said));"];
  writeFileSync(probe, text.join("\n"));
  const line = tasks.serve.command.replace("src/main.ts serve", probe);
  assert.notEqual(line, tasks.serve.command);
  const { code, stdout, stderr } = await runToEnd([...deno, "task", "--quiet", "--eval", line], {
    ...{ cwd: root, env: settings },
  });
  assert.equal(code, 0, stderr);
  const refused = Object.fromEntries(Object.keys(tries).map((name) => [name, "NotCapable"]));
  assert.deepEqual(JSON.parse(stdout), { ...refused, "its token": "permitted" });
});

test("a signal ends it in order, and its pods stay", { skip }, async () => {
  const pod = await runPod(api);
  program?.killGroup("SIGTERM");
  const ended = await program?.ended;
  program = undefined;
  assert.match(ended?.stdout ?? "", /SIGTERM: stopping\n$/);
  assert.equal((await podStatus(upstream(), pod)).state, "SANDBOX_READY");
});
