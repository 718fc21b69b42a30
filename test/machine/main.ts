/**
 * `node dist/test/machine/main.js [--accelerator kvm]`: starts Crest in each way that the documents describe, with
 * their own commands, on a Debian that has Node and nothing of ours, and sends requests to each. In QEMU, with systemd as the first
 * process and cgroups of version 2; without KVM it takes half an hour.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { parseArgs } from "node:util";
import { version } from "../../src/version.ts";
import { documentedScript } from "../support/documents.ts";
import { eventually } from "../support/eventually.ts";
import { bundle, createMachine, type Machine } from "./machine.ts";

const { values: flags } = parseArgs({ options: { accelerator: { type: "string", default: "tcg" } } });
const skip = process.getuid?.() === 0 ? false : "needs root, to make a Debian";

let machine: Machine;
const folder = mkdtempSync(join(tmpdir(), "crest-machine-"));
before(async () => {
  if (skip !== false) return;
  const report = (step: string) => console.log(step);
  machine = await createMachine({ accelerator: flags.accelerator, report });
  const commits = join(folder, "commits");
  await bundle(commits);
  await machine.send(commits, "/root/commits");
  await machine.run("apt-get update -qq && git clone --quiet /root/commits /root/crest");
});
after(async () => {
  await machine?.close();
  rmSync(folder, { recursive: true, force: true });
});

const api = "http://127.0.0.1:8585";
const startTimeoutMs = 20 * 60_000;

interface Started {
  /** Ctrl-C, and what it printed by its end. */
  interrupt(): Promise<string>;
}

/** Runs a script whose last command stays, as a terminal would, and waits until a gateway answers. */
async function startThere(t: TestContext, script: string, at = "/root/crest"): Promise<Started> {
  const began = performance.now();
  const log = "/root/started.log";
  await machine.run(`cat > /root/script.sh <<'THE END'
set -eu
cd ${at}
${script}
THE END
setsid bash /root/script.sh > ${log} 2>&1 < /dev/null & echo $! > /root/started.pid`);
  const isAlive = "kill -0 $(cat /root/started.pid) 2> /dev/null";
  await eventually(() => machine.run(`grep 'Crest is ready' ${log} || if ${isAlive}; then exit 1; fi`), {
    timeoutMs: startTimeoutMs,
    intervalMs: 5000,
  });
  const said = await machine.run(`cat ${log}`);
  assert.match(said, /Crest is ready/, said);
  t.diagnostic(`ready after ${((performance.now() - began) / 1000).toFixed(0)} s`);
  await reportMemory(t);
  return {
    async interrupt() {
      await machine.run("kill -INT -- -$(cat /root/started.pid)");
      await eventually(() => machine.run(`if ${isAlive}; then exit 1; fi`), {
        timeoutMs: 120_000,
        intervalMs: 2000,
      });
      return await machine.run(`cat ${log}`);
    },
  };
}

/** Tells what the gateways on it take. */
async function reportMemory(t: TestContext): Promise<void> {
  const found = await machine.run("ps -C node,deno,MainThread -o rss=,args= || true");
  for (const [, kibibytes, args] of found.matchAll(/^ *(\d+) (.*(?:main\.[jt]s|crest) (?:up|serve).*)$/gm))
    t.diagnostic(`${(Number(kibibytes) / 1024).toFixed(0)} MiB: ${args?.slice(0, 80)}`);
}

/** curl with the token of a data folder, which fails where the gateway refuses. */
const curl = (rest: string, { token = "/var/lib/crest/token" } = {}) =>
  machine.run(
    `curl --silent --show-error --fail-with-body -H "Authorization: Bearer $(cat ${token})" ${rest}`,
  );

/** Posts JSON, and answers the JSON that comes. */
const post = async (path: string, body: object): Promise<{ readonly [name: string]: unknown }> =>
  JSON.parse(await curl(`--json '${JSON.stringify(body)}' ${api}${path}`));

/** Answers the id of a new pod. */
async function runPod(name: string): Promise<string> {
  return String((await post("/v1/pods", { metadata: { name } })).podSandboxId);
}

/** The runtime knows what a pod takes, by its cgroup. */
async function isMeasured(pod: string): Promise<void> {
  const { stats } = JSON.parse(await curl(`${api}/v1/pods/${pod}/stats`));
  assert.ok(Number(stats.linux.memory.usageBytes.value) > 0, JSON.stringify(stats));
}

/** Installs Debian packages, named with spaces between. */
const installThere = (packages: string) =>
  machine.run(
    `DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ${packages} > /root/apt.log 2>&1`,
  );

async function answersVersion(options?: { token?: string }): Promise<void> {
  const answer = JSON.parse(await curl(`${api}/v1/version`, options));
  assert.deepEqual([answer.version, answer.runtimeName], [version, "containerd"]);
}

const leftovers =
  "pgrep -a shim || true; ls /run/netns 2>/dev/null || true; ip -br link | grep crest || true; grep /var/lib/crest /proc/mounts || true";
const podCgroups = "find /sys/fs/cgroup -path '*crest*' -type d ! -path '*/system.slice/*' -printf '%P\\n'";

test("npm start: packages, build, and the tour; Ctrl-C leaves nothing", { skip }, async (t) => {
  assert.equal((await machine.run("stat -fc %T /sys/fs/cgroup; ps -o comm= 1")).trim(), "cgroup2fs\nsystemd");
  await machine.run("if command -v containerd; then exit 1; fi");
  const started = await startThere(t, "npm start");
  // The registry of the tour's end is on the internet.
  const tour = documentedScript("sh tour")
    .split("\n")
    .filter((line) => !/REGISTRY/.test(line))
    .join("\n");
  const said = await machine.run(tour);
  for (const part of [
    '"state":"SANDBOX_READY"',
    '"exitCode":3',
    '"usageCoreNanoSeconds"',
    "(did you mean command?)",
  ])
    assert.ok(said.includes(part), `${part}: ${said}`);
  assert.equal((await machine.run(podCgroups)).trim(), "crest");
  await isMeasured(await runPod("left"));
  assert.match(await started.interrupt(), /Removing pods/);
  assert.equal(await machine.run(leftovers), "");
  assert.equal((await machine.run(podCgroups)).trim(), "crest");
});

/** What a node has that Kubernetes runs on: a network, an image of pause, systemd for cgroups. */
const nodeSetup = `
mkdir -p /etc/cni/net.d
cat > /etc/cni/net.d/10-node.conflist <<'THE END'
{"cniVersion": "0.4.0", "name": "node", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
THE END
cat > /etc/containerd/config.toml <<'THE END'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "crest.invalid/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
THE END
systemctl restart containerd
cat > /root/images.mjs <<'THE END'
import { embeddedImages, readBusybox } from "/root/crest/dist/src/embedded/busybox.js";
import { importImages } from "/root/crest/dist/src/embedded/import-images.js";
const images = embeddedImages(await readBusybox());
await importImages({ socket: "/run/containerd/containerd.sock", images, snapshotter: "overlayfs", report() {} });
THE END
node /root/images.mjs`;

test("npx: the package, in front of the node's containerd", { skip }, async (t) => {
  await machine.run(nodeSetup);
  const started = await startThere(t, documentedScript("sh npx").replace("npx ", "npx --yes "));
  await answersVersion();
  t.diagnostic(`package: ${await machine.run("stat -c '%s bytes' /root/crest/crest-cri-*.tgz")}`);
  await started.interrupt();
});

test("systemd: the unit, its restart, another user, and a reboot", { skip }, async (t) => {
  await machine.run(`cd /root/crest; ${documentedScript("sh install")}\n${documentedScript("sh systemd")}`);
  await answersVersion();
  t.diagnostic(await machine.run("systemd-analyze blame | grep crest || true"));
  await reportMemory(t);
  await machine.run("systemctl is-active crest.service crest.socket");
  await assert.rejects(curl(`-X DELETE ${api}/v1/pods/a`), /not_capable/);

  // A pod, its stats and its end, in systemd's own cgroups.
  await machine.run("echo CREST_ALLOW_ALL=true >> /etc/crest/crest.env; systemctl restart crest");
  const pod = await runPod("one");
  const config = { metadata: { name: "c" }, image: "busybox:latest", command: ["sleep", "1000"] };
  const { containerId: container } = await post(`/v1/pods/${pod}/containers`, config);
  await curl(`-X POST ${api}/v1/containers/${container}/start`);
  const ran = await post(`/v1/containers/${container}/exec`, { cmd: ["echo", "hello"] });
  assert.equal(ran.stdout, "hello\n");
  assert.match(await machine.run(podCgroups), /^crest\.slice\/crest-\w+\.slice\/cri-containerd-\w+\.scope$/m);
  await isMeasured(pod);

  // The pod outlives the gateway, and no client is refused meanwhile.
  const codes = await machine.run(`
    (for i in $(seq 20); do curl --silent --output /dev/null --write-out '%{http_code}\\n' ${api}/livez; done) & asking=$!
    systemctl restart crest
    wait $asking`);
  assert.deepEqual(new Set(codes.trim().split("\n")), new Set(["200"]));
  assert.equal(JSON.parse(await curl(`${api}/v1/containers/${container}`)).status.state, "CONTAINER_RUNNING");
  await curl(`-X DELETE ${api}/v1/pods/${pod}`);
  assert.equal((await machine.run(podCgroups)).trim(), "crest\ncrest.slice");
  assert.equal(
    (await machine.run("systemctl list-units --plain --no-legend --type=slice 'crest-*'")).trim(),
    "",
  );

  // The limits hold. A gateway that lives says so, and one that hangs is killed and started again.
  const limits = "cat /sys/fs/cgroup/system.slice/crest.service/{memory.max,pids.max}";
  assert.equal(await machine.run(limits), `${3 * 1024 ** 3}\n64\n`);
  await machine.run(`
    mkdir -p /etc/systemd/system/crest.service.d
    printf '[Service]\\nWatchdogSec=20s\\n' > /etc/systemd/system/crest.service.d/watchdog.conf
    systemctl daemon-reload; systemctl restart crest`);
  const shown = async (name: string): Promise<string> =>
    (await machine.run(`systemctl show --property=${name} --value crest`)).trim();
  const heard = new Set<string>();
  await eventually(async () => heard.add(await shown("WatchdogTimestampMonotonic")).size >= 4, {
    timeoutMs: 180_000,
    intervalMs: 1000,
  });
  assert.equal(await shown("NRestarts"), "0");
  await machine.run("systemctl kill --signal=STOP --kill-whom=main crest");
  await eventually(async () => (await shown("NRestarts")) === "1", { timeoutMs: 120_000, intervalMs: 1000 });
  await eventually(() => answersVersion().then(() => true), { timeoutMs: 120_000, intervalMs: 1000 });
  await machine.run(
    "rm -r /etc/systemd/system/crest.service.d; systemctl daemon-reload; systemctl restart crest",
  );

  // As another user, with the socket's group.
  const dropIn = documentedScript("ini").replace(/^#.*\n/, "");
  await machine.run(`
    groupadd --system containerd; useradd --system --no-create-home crest
    sed -i '1a [grpc]\\n  gid = '$(getent group containerd | cut -d: -f3) /etc/containerd/config.toml
    chmod 711 /run/containerd; systemctl restart containerd
    mkdir -p /etc/systemd/system/crest.service.d
    cat > /etc/systemd/system/crest.service.d/override.conf <<'THE END'
${dropIn}
THE END
    systemctl daemon-reload; systemctl restart crest`);
  assert.equal(
    (await machine.run("ps -o user= $(systemctl show --property=MainPID --value crest)")).trim(),
    "crest",
  );
  await answersVersion();

  await machine.reboot();
  await eventually(() => answersVersion().then(() => true), { timeoutMs: 120_000, intervalMs: 1000 });
  await machine.run(
    "systemctl disable --now crest.socket crest.service; rm -r /etc/systemd/system/crest.service.d",
  );
  await machine.run("chown -R root:root /var/lib/crest; systemctl daemon-reload");
});

test("TLS: an address that others reach, with a certificate", { skip }, async (t) => {
  await machine.run(`cd /etc/crest
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=node7.example \\
      -addext subjectAltName=DNS:node7.example -keyout tls.key -out tls.crt`);
  const started = await startThere(t, documentedScript("sh tls"));
  const secure =
    "--cacert /etc/crest/tls.crt --resolve node7.example:8585:127.0.0.1 https://node7.example:8585";
  assert.equal(JSON.parse(await curl(`${secure}/v1/version`)).version, version);
  await assert.rejects(
    curl(`--resolve node8.example:8585:127.0.0.1 --insecure https://node8.example:8585/v1/version`),
    /host_not_allowed/,
  );
  await started.interrupt();
});

test("compose, with BuildKit: the image, in front of the node's containerd", { skip }, async (t) => {
  await installThere("docker.io docker-cli docker-compose docker-buildx");
  // No registry is reached from here: a base of what is on the machine.
  await machine.run(`tar -C / --exclude='tmp/*' -c bin lib lib64 sbin tmp etc/ssl etc/alternatives etc/npmrc usr/lib64 usr/lib/ssl \\
    usr/bin/{node,npm,sh,dash,env,rm,mkdir} usr/share/{nodejs,npm,ca-certificates} usr/lib/x86_64-linux-gnu \\
    usr/local/share/ca-certificates | docker import - node:22-slim`);
  const began = performance.now();
  await machine.run("rm -rf /var/lib/crest");
  // Since the test of systemd it is of a group of its own.
  const gid = "export RUNTIME_GID=$(stat --format=%g /run/containerd/containerd.sock)";
  await machine.run(`cd /root/crest; export BASE=node:22-slim; ${gid}; ${documentedScript("sh compose")}`);
  const health = "docker inspect --format '{{.State.Health.Status}}' $(docker-compose ps -q)";
  await eventually(() => machine.run(`cd /root/crest; [ $(${health}) = healthy ]`), {
    timeoutMs: 300_000,
    intervalMs: 1000,
  });
  t.diagnostic(`healthy after ${((performance.now() - began) / 1000).toFixed(0)} s, the build included`);
  t.diagnostic(await machine.run("docker images"));
  t.diagnostic(
    await machine.run(
      "cd /root/crest; docker stats --no-stream; docker-compose version; docker buildx version",
    ),
  );
  await answersVersion();
  await machine.run("cd /root/crest; docker-compose down");
});

test("Kubernetes: the manifest and its Secret, on Podman", { skip }, async (t) => {
  await installThere("podman catatonit crun kubernetes-client");
  await machine.run(
    "docker save crest | podman load; podman tag docker.io/library/crest localhost/crest || true",
  );
  await machine.run("head -c 32 /dev/urandom | base64 > /root/FILE");
  const [, secret = ""] = /^(kubectl create secret .*)$/m.exec(documentedScript("sh kubernetes")) ?? [];
  await machine.run(`cd /root; ${secret} --dry-run=client --output=yaml > secret.yaml; podman kube play secret.yaml
    podman kube play crest/deploy/kubernetes/crest.yaml`);
  await eventually(() => answersVersion({ token: "/root/FILE" }).then(() => true), {
    timeoutMs: 120_000,
    intervalMs: 1000,
  });
  await assert.rejects(curl(`--json '{}' ${api}/v1/pods`, { token: "/root/FILE" }), /not_capable/);
  t.diagnostic(await machine.run("podman ps"));
  await machine.run("podman kube down /root/crest/deploy/kubernetes/crest.yaml");
});

test("Deno: the sources, with the permissions that are named", { skip }, async (t) => {
  const started = await startThere(
    t,
    documentedScript("sh deno").replace("deno task", "npx --yes deno@2.9.6 task"),
  );
  await answersVersion();
  await started.interrupt();
});
