/** A Docker engine of the test's own, in namespaces that end with it, and a base image of this machine's Node. */
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../../src/embedded/command.ts";
import { restrictsOomScore } from "../../../src/embedded/containerd-config.ts";
import { busyboxPath, thisMachine } from "../../../src/embedded/requirements.ts";
import { eventually } from "../../support/eventually.ts";
import { type Ended, type Program, runToEnd, start } from "./program.ts";

export interface DockerEngine {
  /** Runs `docker ARGS`, and answers what it printed. @throws {Error} with its output when it fails. */
  docker(...args: readonly string[]): Promise<string>;
  /** Runs `docker-compose ARGS` in `cwd` to its end, with `env` beside this process's. */
  compose(args: readonly string[], options: ComposeOptions): Promise<Ended>;
  /** Ends it with all its containers; its folder stays the caller's. Idempotent. */
  close(): Promise<void>;
}

export interface ComposeOptions {
  readonly cwd: string;
  readonly env: { readonly [name: string]: string };
}

/** The Debian packages that are missing for an engine. */
export async function missingForDocker(): Promise<readonly string[]> {
  const programs = { dockerd: "docker.io", docker: "docker.io", "docker-compose": "docker-compose" };
  const missing = await thisMachine.missingPrograms(Object.keys(programs));
  return [...new Set(missing.map((program) => programs[program as keyof typeof programs]))];
}

/**
 * Starts dockerd with all that it makes below `folder`. It has no bridge and touches no firewall: containers
 * have the host's network or none.
 *
 * Its process and mount namespaces end with it, so that nothing of it outlives the test, however that ends.
 * What it would write outside of its folder, /etc/docker among it, goes to a tmpfs.
 *
 * @throws {Error} with the log's end when it does not answer.
 */
export async function startDocker(folder: string): Promise<DockerEngine> {
  const socket = join(folder, "docker.sock");
  const cgroup = `crest-${basename(folder)}`;
  const elsewhere = ["/etc/docker", "/run/docker", "/run/containerd"].join(" ");
  const script = `mkdir -p ${elsewhere} && for at in ${elsewhere}; do mount -t tmpfs none $at; done && exec "$@"`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "daemon.json"), JSON.stringify(runtimes(folder)));
  const flags = [
    `--config-file=${join(folder, "daemon.json")}`,
    `--host=unix://${socket}`,
    `--data-root=${join(folder, "data")}`,
    `--exec-root=${join(folder, "exec")}`,
    `--pidfile=${join(folder, "pid")}`,
    `--cgroup-parent=/${cgroup}`,
    "--exec-opt=native.cgroupdriver=cgroupfs",
    ...["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"],
  ];
  const path = `${process.env.PATH}:/usr/sbin:/sbin`;
  const daemon = start(
    [
      ...(["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"] as const),
      ...["--mount-proc", "sh", "-c", script, "sh", "dockerd", ...flags],
    ],
    { env: { PATH: path } },
  );
  const env = { PATH: path, DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: folder, DOCKER_BUILDKIT: "0" };

  async function docker(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runToEnd(["docker", ...args], { env });
    if (code !== 0) throw new Error(`docker ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout.trim();
  }
  let closing: Promise<void> | undefined;
  async function end(): Promise<void> {
    daemon.killGroup("SIGTERM");
    const timer = setTimeout(() => daemon.killGroup("SIGKILL"), stopGraceMs);
    await daemon.ended;
    clearTimeout(timer);
    await removeCgroups(cgroup);
    rmSync(socket, { force: true });
  }
  const close = () => {
    closing ??= end();
    return closing;
  };
  try {
    await untilAnswering(daemon, () => docker("version"));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    docker,
    compose: (args, options) =>
      runToEnd(["docker-compose", ...args], { cwd: options.cwd, env: { ...options.env, ...env } }),
    close,
  };
}

const stopGraceMs = 20_000;
const readyTimeoutMs = 60_000;

async function untilAnswering(daemon: Program, ask: () => Promise<unknown>): Promise<void> {
  const ended = daemon.ended.then(({ stderr }) => {
    throw new Error(`dockerd ended: ${stderr.split("\n").slice(-20).join("\n")}`);
  });
  await Promise.race([
    eventually(async () => (await ask()) !== "", { timeoutMs: readyTimeoutMs, intervalMs: 100 }),
    ended,
  ]);
}

/** dockerd's configuration. Where an OOM score may not be lowered, containers go without what Docker asks for. */
function runtimes(folder: string): object {
  if (!restrictsOomScore(readFileSync("/proc/self/status", "utf8"))) return {};
  const wrapper = join(folder, "runc-without-oom-score");
  const program = fileURLToPath(new URL("./runc-without-oom-score.js", import.meta.url));
  writeFileSync(wrapper, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  chmodSync(wrapper, 0o755);
  return { runtimes: { [basename(wrapper)]: { path: wrapper } }, "default-runtime": basename(wrapper) };
}

/** The kernel lets a cgroup go a moment after its last process. */
async function removeCgroups(name: string): Promise<void> {
  const script = `test -z "$(find /sys/fs/cgroup -depth -type d -path '*/${name}*' -exec rmdir {} ';' -print)"`;
  await eventually(async () => (await runToEnd(["sh", "-c", script])).code === 0, { intervalMs: 50 });
}

/** Below Node's own folder, where npm and npx are wherever Node was installed from. */
const npmFolder = () => dirname(dirname(realpathSync(join(dirname(process.execPath), "npm"))));

/**
 * Imports an image that can take the place of the Dockerfile's base, as no registry is asked for one: this machine's
 * Node with its libraries and npm, and a busybox for RUN.
 */
export async function importBase(engine: DockerEngine, folder: string, name: string): Promise<void> {
  const root = join(folder, "base");
  const put = async (from: string, to: string) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    await run(["cp", "-rL", from, join(root, to)]);
  };
  const libraries = (await run(["ldd", process.execPath])).match(/\/\S+/g) ?? [];
  for (const library of libraries) await put(library, library);
  await put(process.execPath, "/usr/local/bin/node");
  await put(npmFolder(), "/usr/local/lib/node_modules/npm");
  await put(busyboxPath, "/bin/busybox");
  for (const applet of ["sh", "env", "rm"]) symlinkSync("busybox", join(root, "bin", applet));
  mkdirSync(join(root, "usr", "bin"), { recursive: true });
  symlinkSync("/bin/busybox", join(root, "usr", "bin", "env"));
  for (const program of ["npm", "npx"]) {
    const main = `../lib/node_modules/npm/bin/${program}-cli.js`;
    symlinkSync(main, join(root, "usr", "local", "bin", program));
  }
  for (const empty of ["etc", "tmp"]) mkdirSync(join(root, empty), { recursive: true });
  writeFileSync(join(root, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  const changes = ["--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin"];
  // Where this machine reaches its registry through a certificate of its own.
  const authority = process.env.NODE_EXTRA_CA_CERTS;
  if (authority !== undefined) {
    await put(authority, "/etc/extra-ca.crt");
    changes.push("--change", "ENV NODE_EXTRA_CA_CERTS=/etc/extra-ca.crt");
  }
  const archive = join(folder, "base.tar");
  await run(["tar", "-C", root, "-cf", archive, "."]);
  await engine.docker("import", ...changes, archive, name);
  for (const path of [root, archive]) rmSync(path, { recursive: true });
}
