/** The image and the compose file, on a Docker engine and in front of a containerd of their own. */
import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { removeAllPods } from "../../src/cri/remove-pods.ts";
import { createEmbedded, type Embedded } from "../../src/embedded/containerd.ts";
import { listProcesses } from "../../src/embedded/processes.ts";
import { version } from "../../src/version.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { repositoryRoot } from "../support/repository.ts";
import { command, openSession } from "./clients/session.ts";
import { type Api, bodyOf, createApi } from "./support/api.ts";
import { type DockerEngine, importBase, missingForDocker, startDocker } from "./support/docker-engine.ts";
import { newFolder, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { containerStatus, exec, removePod, runContainer, runPod } from "./support/pods.ts";

const missing = await missingForDocker();
const skip = (await reasonToSkip()) || (missing.length > 0 && `needs the packages ${missing.join(", ")}`);

/** A user that this machine does not know. */
const nobody = 65532;
const folder = newFolder();
const runtimeFolder = join(folder, "runtime");
const dataDir = join(folder, "data");
let embedded: Embedded;
let engine: DockerEngine;
let env: { readonly [name: string]: string };

before(async () => {
  if (skip !== false) return;
  engine = await startDocker(join(folder, "docker"));
  const removing = { report: () => undefined, removePods: removeAllPods };
  embedded = await createEmbedded({ dataDir: runtimeFolder, install: false, ...removing });
  // As containerd's own folder is.
  for (const path of [folder, runtimeFolder]) chmodSync(path, 0o711);
  await importBase(engine, folder, "node:of-this-machine");
  env = {
    ...{ BASE: "node:of-this-machine", GRANTS: "--allow-all" },
    ...{ RUNTIME_FOLDER: runtimeFolder, CREST_RUNTIME_ENDPOINT: embedded.socket, CREST_DATA_DIR: dataDir },
    CREST_LISTEN: `127.0.0.1:${await freePort()}`,
  };
});
after(async () => {
  await engine?.close();
  await embedded?.close();
  await removeFolder(runtimeFolder);
  await removeFolder(folder);
});

async function compose(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.compose(args, { cwd: repositoryRoot(), env });
  assert.equal(code, 0, `docker-compose ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout.trim();
}

/** What the engine's health check last said of a container. */
async function healthOf(container: string): Promise<string> {
  return await engine.docker("inspect", "--format={{json .State.Health}}", container);
}

const untilHealthy = (container: string) =>
  eventually(
    async () => {
      const health = await healthOf(container);
      assert.match(health, /"Status":"healthy"/, health);
      return true;
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );

/** Runs JavaScript in a container, whose image need have no shell. */
const evaluate = (container: string, code: string) => engine.docker("exec", container, "node", "-e", code);

test("the image builds, and has the program and nothing that only its making needs", { skip }, async () => {
  await engine.docker(
    ...["build", "--network=host", "--build-arg=BASE=node:of-this-machine", "--tag=crest", repositoryRoot()],
  );
  const offline = ["run", "--rm", "--network=none"];
  assert.match(await engine.docker(...offline, "crest", "--version"), new RegExp(`^crest ${version} `));
  assert.equal(JSON.parse(await engine.docker(...offline, "crest", "openapi")).openapi, "3.1.0");
  const script = `
    process.chdir("/opt/crest");
    const { packages } = JSON.parse(fs.readFileSync("node_modules/.package-lock.json", "utf8"));
    const development = ["typescript", "@biomejs/biome", "playwright-core"].filter((name) => fs.existsSync("node_modules/" + name));
    console.log(fs.readdirSync(".").join(" "), Object.values(packages).filter(({ dev }) => dev).length, development.length);`;
  const found = await engine.docker(...offline, "--entrypoint=node", "crest", "-e", script);
  assert.equal(found, "dist node_modules openapi package.json ready.mjs src 0 0");
});

test("compose starts a gateway that gets ready, without rights, and runs a pod", { skip }, async () => {
  mkdirSync(dataDir, { mode: 0o700 });
  chownSync(dataDir, nobody, nobody);
  await compose("up", "--detach", "--no-build");
  const container = await compose("ps", "--quiet");
  await untilHealthy(container);

  const facts = await evaluate(container, 'console.log(fs.readFileSync("/proc/1/status", "utf8"))');
  for (const fact of [
    /^Uid:\s65532\s/m,
    /^CapBnd:\s0+$/m,
    /^CapEff:\s0+$/m,
    /^NoNewPrivs:\s1$/m,
    /^Seccomp:\s2$/m,
  ])
    assert.match(facts, fact);
  await assert.rejects(evaluate(container, 'fs.writeFileSync("/opt/crest/file", "")'), /EROFS/);
  const elsewhere = ["exec", "--env=CREST_LISTEN=127.0.0.1:1", container, "node", "/opt/crest/ready.mjs"];
  await assert.rejects(engine.docker(...elsewhere), /ECONNREFUSED/);

  const token = join(dataDir, "token");
  assert.deepEqual([statSync(token).uid, statSync(token).mode & 0o777], [nobody, 0o600]);
  const address = `http://${env.CREST_LISTEN}`;
  const place = { address, token: readFileSync(token, "utf8").trim() };
  const api = createApi(place.address, place.token);
  try {
    assert.equal(bodyOf(await api.get<{ runtimeName: string }>("/v1/version")).runtimeName, "containerd");
    await runThroughIt(api, place);
  } finally {
    api.close();
  }

  await compose("down");
  assert.equal(await engine.docker("ps", "--all", "--quiet"), "");
});

/** A pod, a command in it, a session on the node's loopback, a log at the same path on both sides. */
async function runThroughIt(
  api: Api,
  place: { readonly address: string; readonly token: string },
): Promise<void> {
  const pod = await runPod(api);
  const app = await runContainer(api, pod, { command: ["sh", "-c", "echo to the log; sleep 3600"] });
  assert.equal((await exec(api, app, "echo out")).stdout, "out\n");
  const session = await openSession(place, `${app.path}/exec`, { query: command("echo streamed") });
  assert.equal((await session.status()).status, "Success");
  assert.equal(session.text(), "streamed\n");
  const { logPath } = await containerStatus(api, app);
  assert.ok(logPath.startsWith(`${dataDir}/logs/`), logPath);
  await eventually(() => /to the log/.test(readFileSync(logPath, "utf8")));
  await removePod(api, pod);
}

test("nothing of the engine stays", { skip }, async () => {
  await engine.close();
  const path = join(folder, "docker");
  const processes = listProcesses().filter(({ argv }) => argv.some((arg) => arg.includes(path)));
  assert.deepEqual(processes, []);
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  assert.deepEqual(
    mounts.filter((mount) => mount.includes(path)),
    [],
  );
  assert.ok(!existsSync(join(path, "docker.sock")));
});
