/** What the package's types let a program write, and what they do not. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/repository.ts";
import { tempDir } from "../support/temp-dir.ts";

const program = `
import { createGateway, type Gateway, type GatewayOptions, type GrantOptions, type Logger, StartError } from "crest-cri";

const controller = new AbortController();
const grants: GrantOptions = { allow: { read: ["pods", "stats"], pull: ["docker.io/library"], exec: ["demo/web"] }, deny: { host: true } };
const gateway: Gateway = createGateway({
  runtimeEndpoint: "unix:///run/containerd/containerd.sock",
  listen: { host: "127.0.0.1", port: 0 },
  token: "0123456789abcdef",
  tls: { certFile: "tls.crt", keyFile: "tls.key" },
  grants,
  sessionIdleMs: 60_000,
  logger: console,
  signal: controller.signal,
});
const address: string = await gateway.listen();
const file: string | undefined = gateway.tokenFile;
const closed: Promise<void> = gateway.closed;
await gateway.close();
createGateway();
createGateway({ listen: "unix:/run/crest.sock", runtime: "embedded", install: true, grants: { all: true } });
createGateway({ listen: { path: "/run/crest.sock" } });
// Absent and undefined are the same, also with exactOptionalPropertyTypes.
const maybe: { port?: number } = {};
createGateway({ maxSessions: maybe.port, tls: undefined, grants: { allow: { read: undefined } } });
const quiet: Logger = { info() {}, warn() {}, error(message, details) { console.error(message, details?.requestId); } };
export const options: GatewayOptions = { logger: quiet };
createGateway({ tracerProvider: { getTracer: () => ({}) } });
export { address, closed, file, StartError };

// @ts-expect-error
createGateway({ lisen: "127.0.0.1:0" });
// @ts-expect-error
createGateway({ listen: 8585 });
// @ts-expect-error
createGateway({ listen: { host: "127.0.0.1" } });
// @ts-expect-error
createGateway({ tls: { certFile: "tls.crt" } });
// @ts-expect-error
createGateway({ sessionIdleMs: "4h" });
// @ts-expect-error
createGateway({ runtime: "docker" });
// @ts-expect-error
createGateway({ grants: { allow: { reed: true } } });
// @ts-expect-error
createGateway({ grants: { allow: { read: ["podz"] } } });
// @ts-expect-error
createGateway({ grants: { allow: { unmanaged: ["default"] } } });
// @ts-expect-error
createGateway({ logger: { info() {} } });
// @ts-expect-error
gateway.address = "";
`;

/** A program of the client. It needs no types of Node: browsers have none. */
const clientProgram = `
import { type Client, createClient, CrestError, type EventItem, type Fetch, type Items, type List, type ProblemCode, type Pull } from "crest-cri/client";

const client: Client = createClient({ server: new URL("http://127.0.0.1:8585"), token: async () => "token" });
const fetch: Fetch = (url, init) => globalThis.fetch(url, init);
createClient({ server: "http://127.0.0.1:8585", token: "token", fetch: globalThis.fetch });
const { signal } = new AbortController();
const pods: List<{ readonly id: string }, { readonly continue?: string | undefined }> = client.listPods({}, { signal });
const events: Items<EventItem, object> = client.listEvents({ watch: true }, { reconnect: false });
for await (const { type } of events) if (type === "container.exited") break;
const { podSandboxId } = await client.runPod({ body: { metadata: { name: "web" } } }, { headers: { "X-Request-Id": "1" } });
const { containerId }: { containerId: string } = await client.createContainer({ podSandboxId, body: { metadata: { name: "a" }, image: { image: "b" } } });
const nothing: void = await client.startContainer({ containerId });
const session = await client.exec({ containerId, command: ["sh"], tty: true, stdin: true }, { signal });
for await (const chunk of session.stdout) { const bytes: Uint8Array = chunk; await session.stdin.write(bytes); }
const code: number = await session.exitCode;
for await (const { progress } of client.pullImage({ body: { image: { image: "b" } }, detach: undefined })) { const pull: Pull | undefined = progress; void pull; }
const known: ProblemCode = "not_found";
const isGone = (error: unknown): boolean => error instanceof CrestError && error.code === known;
export { code, fetch, isGone, nothing, pods };

// @ts-expect-error
client.getPod();
// @ts-expect-error
client.getPod({ podSandboxid: "x" });
// @ts-expect-error
client.stopPod({ podSandboxId: "x", timeout: "1" });
// @ts-expect-error
client.runPod({ body: { metadata: { nam: "web" } } });
// @ts-expect-error
client.exec({ containerId });
// @ts-expect-error
client.listPods({ state: "RUNNING" });
// @ts-expect-error
client.getVersion({}, { abort: signal });
// @ts-expect-error
createClient({ token: "x" });
`;

test("a program compiles against the types in the package, and mistakes in options do not", async (t) => {
  const root = repositoryRoot();
  const folder = await tempDir(t);
  const packing = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const [{ files }] = JSON.parse(execFileSync("npm", packing, { cwd: root, encoding: "utf8" })) as [
    { files: readonly { readonly path: string }[] },
  ];
  const installed = join(folder, "node_modules", "crest-cri");
  // Types of other packages are not there: ours need none.
  for (const { path } of files.filter(({ path }) => path.endsWith(".d.ts") || path === "package.json")) {
    mkdirSync(dirname(join(installed, path)), { recursive: true });
    cpSync(join(root, path), join(installed, path));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(folder, "main.ts"), program);
  writeFileSync(join(folder, "client.ts"), clientProgram);
  const onNode = { lib: ["es2023"], types: ["node"] };
  const inBrowsers = { lib: ["es2023", "dom", "dom.iterable"], types: [] };
  for (const [files, platform] of [
    [["main.ts", "client.ts"], onNode],
    [["client.ts"], inBrowsers],
  ] as const) {
    const compilerOptions = {
      target: "es2023",
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      ...platform,
      typeRoots: [join(root, "node_modules", "@types")],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
    assert.equal(stdout, "");
    assert.equal(status, 0);
  }
});
