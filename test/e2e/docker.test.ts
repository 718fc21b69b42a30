/** The image and the compose file, on a Docker engine and in front of a containerd of their own. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { get, type RequestOptions } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createEmbedded, type Embedded } from "../../src/embedded/containerd.ts";
import { listProcesses } from "../../src/embedded/processes.ts";
import { removeAllPods } from "../../src/runtimes/remove-pods.ts";
import { version } from "../../src/version.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { hasVenv } from "../support/packages.ts";
import { repositoryRoot } from "../support/repository.ts";
import { createAuthority } from "../support/spdy-certificate.ts";
import { command, openSession } from "./clients/session.ts";
import { type Api, bodyOf, createApi } from "./support/api.ts";
import { readPodSpec } from "./support/daemon-set.ts";
import { type DockerEngine, importBase, missingForDocker, startDocker } from "./support/docker-engine.ts";
import { newFolder, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { containerStatus, exec, removePodAndCgroup, runContainer, runPod } from "./support/pods.ts";
import { yamlTools } from "./support/yaml-tools.ts";

const missing = [...(await missingForDocker()), ...(hasVenv() ? [] : ["python3-venv"])];
const skip = (await reasonToSkip()) || (missing.length > 0 && `needs the packages ${missing.join(", ")}`);

/** A user that this machine does not know. */
const nobody = 65532;
const folder = newFolder();
const runtimeFolder = join(folder, "runtime");
const dataDir = join(folder, "data");
const tlsFolder = join(folder, "tls");
const tlsDataDir = join(folder, "tls-data");
const authority = createAuthority("of the test");
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
    ...{ TLS_FOLDER: tlsFolder, TLS_DATA_DIR: tlsDataDir, TLS_LISTEN: `0.0.0.0:${await freePort()}` },
  };
});
after(async () => {
  await engine?.close();
  await embedded?.close();
  await removeFolder(runtimeFolder);
  await removeFolder(folder);
});

/** Makes a folder, and files in it, as user 65532 wants to find them. */
function makeFolder(path: string, files: { readonly [name: string]: string } = {}): void {
  mkdirSync(path, { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text, { mode: 0o600 });
  for (const own of [path, ...Object.keys(files).map((name) => join(path, name))])
    chownSync(own, nobody, nobody);
}

/**
 * Beside the file itself: the engine has no network of its own to build in, clients need certificates, and
 * tests do not wait long for the health checks.
 */
const changes = {
  services: {
    crest: { build: { network: "host" }, healthcheck: { interval: "1s" } },
    "crest-tls": {
      healthcheck: { interval: "1s" },
      environment: { CREST_TLS_CLIENT_CA: "/tls/clients.crt" },
    },
  },
};

async function compose(...rest: readonly string[]): Promise<string> {
  const override = join(folder, "compose.json");
  writeFileSync(override, JSON.stringify(changes));
  const args = ["--file=docker-compose.yml", `--file=${override}`, ...rest];
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
  await compose("build", "crest");
  const offline = ["run", "--rm", "--network=none"];
  assert.match(await engine.docker(...offline, "crest", "--version"), new RegExp(`^crest ${version} `));
  assert.equal(JSON.parse(await engine.docker(...offline, "crest", "openapi")).openapi, "3.1.0");
  const script = `
    process.chdir("/opt/crest");
    const { packages } = JSON.parse(fs.readFileSync("node_modules/.package-lock.json", "utf8"));
    const development = ["typescript", "@biomejs/biome", "playwright-core"].filter((name) => fs.existsSync("node_modules/" + name));
    console.log(fs.readdirSync(".").join(" "), Object.values(packages).filter(({ dev }) => dev).length, development.length);`;
  const found = await engine.docker(...offline, "--entrypoint=node", "crest", "-e", script);
  assert.equal(
    found,
    "LICENSE THIRD-PARTY.md dist node_modules openapi package.json ready.mjs sbom.cdx.json src 0 0",
  );
});

test("compose starts a gateway that gets ready, without rights, and runs a pod", { skip }, async () => {
  makeFolder(dataDir);
  await compose("up", "--detach", "--no-build");
  const container = await compose("ps", "--quiet", "crest");
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
});

test("its other service is for other machines, and asks clients for a certificate", { skip }, async () => {
  const { cert, key } = authority.issue("node");
  makeFolder(tlsFolder, { "tls.crt": cert, "tls.key": key, "clients.crt": authority.cert });
  makeFolder(tlsDataDir);
  await compose("up", "--detach", "--no-build", "crest-tls");
  await untilHealthy(await compose("ps", "--quiet", "crest-tls"));

  const port = Number(env.TLS_LISTEN?.split(":")[1]);
  const trusting = { host: "127.0.0.1", port, path: "/v1/version", ca: authority.cert };
  const token = readFileSync(join(tlsDataDir, "token"), "utf8").trim();
  const headers = { authorization: `Bearer ${token}` };
  const statusOf = (options: RequestOptions) =>
    new Promise<number | undefined>((resolve, reject) => {
      get(options, (answer) => resolve(answer.resume().statusCode)).on("error", reject);
    });
  const client = authority.issue("client");
  assert.equal(await statusOf({ ...trusting, ...client, headers }), 200);
  assert.equal(await statusOf({ ...trusting, ...client }), 401);
  await assert.rejects(statusOf({ ...trusting, headers }));
});

test("compose leaves no container behind", { skip }, async () => {
  await compose("--profile=tls", "down");
  assert.equal(await engine.docker("ps", "--all", "--quiet"), "");
});

test("the image gets ready with what the DaemonSet gives it, and no more", { skip }, async () => {
  const { securityContext: user, containers } = await readPodSpec(await yamlTools());
  const { args, env: variables, securityContext, readinessProbe } = containers[0];
  assert.deepEqual(securityContext.capabilities, { drop: ["ALL"] });
  assert.deepEqual(
    [securityContext.readOnlyRootFilesystem, securityContext.allowPrivilegeEscalation],
    [true, false],
  );
  // As a kubelet lays it out: the file is root's, behind two links.
  const secret = join(folder, "secret");
  mkdirSync(join(secret, "..revision"), { recursive: true });
  writeFileSync(join(secret, "..revision", "token"), "a token of the test's\n".replaceAll(" ", "-"), {
    mode: 0o400,
  });
  symlinkSync("..revision", join(secret, "..data"));
  symlinkSync("..data/token", join(secret, "token"));
  chmodSync(secret, 0o1777);
  const listen = `127.0.0.1:${await freePort()}`;
  const container = await engine.docker(
    ...["run", "--detach", "--network=host", "--read-only", "--cap-drop=ALL"],
    ...["--security-opt=no-new-privileges", `--user=${user.runAsUser}:${user.runAsGroup}`],
    ...[`--volume=${runtimeFolder}:/run/containerd:ro`, `--volume=${secret}:/token:ro`, "--tmpfs=/data"],
    ...variables.map(({ name, value }) => `--env=${name}=${name === "CREST_LISTEN" ? listen : value}`),
    ...["crest", ...args],
  );
  try {
    const ask = async () => (await fetch(`http://${listen}${readinessProbe.httpGet.path}`)).status === 200;
    await eventually(ask, { timeoutMs: 30_000, intervalMs: 100 }).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${await engine.docker("logs", container)}`);
    });
    const api = createApi(`http://${listen}`, "a-token-of-the-test's");
    bodyOf(await api.get("/v1/pods"));
    api.close();
  } finally {
    await engine.docker("rm", "--force", container);
  }
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
  await removePodAndCgroup(api, pod);
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
