/** The client on a real containerd: its documented programs on each platform, a terminal, and a gateway that restarts. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { WebSocket } from "ws";
import { type Client, createClient, type Reconnection } from "../../src/client/index.ts";
import { startWorld, type World } from "../sdk/world.ts";
import { documentedScript } from "../support/documents.ts";
import { freePort } from "../support/free-port.ts";
import { repositoryRoot } from "../support/repository.ts";
import { newFolder, removeFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { runContainer, runPod, shell } from "./support/pods.ts";
import { runToEnd, start } from "./support/program.ts";

const skip = await reasonToSkip();
const root = repositoryRoot();
const folder = newFolder();
let world: World;
let client: Client;

before(async () => {
  if (skip) return;
  world = await startWorld({ auth: false });
  client = createClient({ server: world.gateway.address, token: world.gateway.token, WebSocket });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "crest-cri"));
  for (const name of ["undici", "ws"])
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
});
after(async () => {
  await world?.close();
  await removeFolder(folder);
});

/** By the packages of the registry. */
const platforms: { readonly [name: string]: readonly [string, ...string[]] } = {
  "Node 20.19": ["npx", "--yes", "--package=node@20.19", "--", "node"],
  "Node 24": ["npx", "--yes", "--package=node@24", "--", "node"],
  Bun: ["npx", "--yes", "--package=bun@1.4.5", "--", "bun"],
};

async function printed(
  argv: readonly [string, ...string[]],
  env: { readonly [name: string]: string },
): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(argv, { cwd: folder, env: { ...world.env, ...env } });
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, "");
  return stdout;
}

const hello =
  /^(pull: \w+\n)+pulled sha256:\w{64}\nhello world\nexit code 3\ntick 1\ntick 2\ntick 3\nthe container exited with 0\n404 not_found\n$/;

for (const [platform, run] of Object.entries(platforms)) {
  test(`the documented program runs on ${platform}`, { skip }, async () => {
    writeFileSync(join(folder, "hello.mjs"), documentedScript("js client node"));
    assert.match(await printed([...run, "hello.mjs"], {}), hello);
  });
}

test("the documented program for a Unix socket runs", { skip }, async () => {
  const listen = join(folder, "crest.sock");
  const gateway = await startGateway("serve", {
    listen: `unix:${listen}`,
    args: [`--runtime-endpoint=${join(world.gateway.dataDir, "containerd.sock")}`, "--allow-all"],
  });
  try {
    const pod = await runPod(world.gateway);
    await runContainer(world.gateway, pod, { metadata: { name: "sleeper" } });
    writeFileSync(join(folder, "socket.mjs"), documentedScript("js client socket"));
    const env = { CREST_SOCKET: listen, CREST_TOKEN: gateway.token };
    assert.equal(await printed([process.execPath, "socket.mjs"], env), "containerd\nsleeper 0\n");
    await client.removePod({ podSandboxId: pod.id });
  } finally {
    await gateway.close();
  }
});

test("the documented program runs on Deno", { skip }, async () => {
  const pod = await runPod(world.gateway, { metadata: { name: "on-deno" } });
  const container = await runContainer(world.gateway, pod, { metadata: { name: "sleeper" } });
  const module = pathToFileURL(join(root, "dist", "src", "client", "index.js")).href;
  const script = documentedScript("ts client deno").replace("npm:crest-cri/client", module);
  assert.ok(script.includes(module));
  writeFileSync(join(folder, "events.ts"), script);
  const flags = ["--quiet", "--no-prompt", "--allow-net", "--allow-env=CREST_URL,CREST_TOKEN"];
  const program = start(["npx", "--yes", "deno@2.9.6", "run", ...flags, "events.ts"], {
    ...{ cwd: folder, env: world.env },
  });
  await program.until(/^exit code 0$/m);
  await client.stopContainer({ containerId: container.id, timeout: "0" });
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^container\.started on-deno sleeper\n.*^bookmark {2}\nsleeper hello\nexit code 0\n/ms,
  );
  assert.match(stdout, /^container\.exited on-deno sleeper\n$/m);
  await client.removePod({ podSandboxId: pod.id });
});

/** A pod with one container of a gateway, for one test. */
async function inPod(
  script: string,
  use: (ids: { readonly containerId: string; readonly podSandboxId: string }) => Promise<void>,
): Promise<void> {
  const pod = await runPod(world.gateway);
  const { id } = await runContainer(world.gateway, pod, shell(script));
  await use({ containerId: id, podSandboxId: pod.id });
  await client.removePod({ podSandboxId: pod.id });
}

test("a terminal takes keys and sizes, and ends with its exit code", { skip }, async () => {
  await inPod("sleep 3600", async ({ containerId }) => {
    const session = await client.exec({ containerId, command: ["sh"], tty: true, stdin: true });
    session.resize({ width: 91, height: 31 });
    let text = "";
    const reading = (async () => {
      for await (const bytes of session.stdout) {
        text += Buffer.from(bytes).toString();
        if (text.includes("31 91")) void session.stdin.write("exit 7\n");
      }
    })();
    await session.stdin.write("stty size\n");
    await reading;
    assert.equal(await session.exitCode, 7);
  });
});

test("a follower of a log goes on when the gateway restarts, without a line lost or repeated", {
  skip,
}, async (t) => {
  const dataDir = newFolder();
  const options = {
    listen: `127.0.0.1:${await freePort()}`,
    dataDir,
    args: [`--runtime-endpoint=${join(world.gateway.dataDir, "containerd.sock")}`, "--allow-all"],
  };
  let gateway = await startGateway("serve", options);
  t.after(() => gateway.close());
  const follower = createClient({ server: gateway.address, token: gateway.token });
  const pod = await runPod(gateway);
  const script = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.02; done";
  const { id } = await runContainer(gateway, pod, shell(script));
  const texts: string[] = [];
  const codes: string[] = [];
  const onReconnect = ({ error }: Reconnection): void => void codes.push(error.code);
  let restarted: Promise<void> | undefined;
  for await (const { text } of follower.getContainerLogs(
    { containerId: id, follow: true },
    { onReconnect },
  )) {
    texts.push(text);
    if (texts.length !== 20) continue;
    restarted = (async () => {
      gateway.process.kill("SIGTERM");
      await gateway.process.exit;
      gateway = await startGateway("serve", options);
    })();
  }
  await restarted;
  assert.deepEqual(
    texts,
    Array.from({ length: 400 }, (_, index) => `line ${index}`),
  );
  assert.equal(codes[0], "shutting_down");
  await follower.removePod({ podSandboxId: pod.id });
});

test("a forwarded port carries bytes both ways", { skip }, async () => {
  await inPod("while true; do nc -l -p 8080 -e tr a-z A-Z; done", async ({ podSandboxId, containerId }) => {
    await client.execSync({
      containerId,
      body: { cmd: ["sh", "-c", "until netstat -ltn | grep -q :8080; do sleep 0.1; done"], timeout: "20" },
    });
    const session = await client.portForward({ podSandboxId, ports: [8080] });
    const connection = session.port(8080);
    await connection.write("to the pod ".repeat(10_000));
    let text = "";
    for await (const bytes of connection) {
      text += Buffer.from(bytes).toString();
      if (text.length >= 50_000) break;
    }
    session.close();
    assert.ok(text.startsWith("TO THE POD TO THE POD "));
  });
});
