/** What pods reach of the node's loopback once one of them has a host port: nothing but that port. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, podStatus, type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { type Program, start } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);
const attacks = new Set<Program>();
after(() => {
  for (const program of attacks) program.killGroup("SIGKILL");
});

const networkOf = (dataDir: string): string => {
  const text = readFileSync(join(dataDir, "cni", "10-crest.conflist"), "utf8");
  return (JSON.parse(text) as { readonly name: string }).name;
};
const bridgeAddress = (): string =>
  readFileSync(join(crest().dataDir, "subnet"), "utf8").replace(/0\/24\n$/, "1");

/** A pod with a host port, behind which a busybox says hello. */
async function runWebPod(hostPort: number): Promise<Resource> {
  const pod = await runPod(crest(), { portMappings: [{ containerPort: 80, hostPort }] });
  await runContainer(crest(), pod, shell("echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp"));
  await eventually(async () => (await fetch(`http://127.0.0.1:${hostPort}/`)).ok);
  return pod;
}

/** The process that holds a pod's namespaces. */
function pidOf(pod: Resource): string {
  const ctr = ["--address", join(crest().dataDir, "containerd.sock"), "--namespace", "k8s.io"];
  const tasks = execFileSync("ctr", [...ctr, "tasks", "ls"], { encoding: "utf8" });
  return new RegExp(`^${pod.id}\\s+(\\d+)`, "m").exec(tasks)?.[1] ?? assert.fail(tasks);
}

/** What a pod with CAP_NET_ADMIN does: its loopback is elsewhere, by way of the bridge. */
const redirect = `echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet
ip addr flush dev lo
ip route replace 127.0.0.0/8 via "$1" dev eth0 src "$2"
exec curl --silent --show-error --fail "$3"`;

async function attack(pod: Resource, url: string): Promise<Program> {
  const { network } = await podStatus(crest(), pod);
  const inside = ["nsenter", `--net=/proc/${pidOf(pod)}/ns/net`] as const;
  const program = start([...inside, "sh", "-euc", redirect, "sh", bridgeAddress(), network?.ip ?? "", url]);
  attacks.add(program);
  void program.ended.then(() => attacks.delete(program));
  return program;
}

/** How many packets the network's rule has dropped; 0 without a rule. */
function droppedPackets(): number {
  const saved = execFileSync("iptables-save", ["--counters"], { encoding: "utf8" }).split("\n");
  const network = networkOf(crest().dataDir);
  const rule = saved.find((line) => line.includes(`-i ${network} `) && line.endsWith("-j DROP"));
  return Number(/^\[(\d+):/.exec(rule ?? "")?.[1] ?? 0);
}

test("beside a pod with a host port, other pods do not reach what listens on the node's loopback", {
  skip,
}, async () => {
  const hostPort = await freePort();
  await runWebPod(hostPort);
  const bridge = networkOf(crest().dataDir);
  const setting = readFileSync(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, "utf8");
  assert.equal(setting, "1\n", "a host port opens the bridge, or this test shows nothing");
  const service = createServer((_, response) => response.end("reached\n")).listen(0, "127.0.0.53");
  await eventually(() => service.listening);
  const { port } = service.address() as AddressInfo;
  const attacker = await runPod(crest());
  try {
    const urls = [
      `${crest().address}/livez`,
      `http://127.0.0.53:${port}/`,
      // The host port itself has other ways: this one would be the loopback's.
      `http://127.0.0.1:${hostPort}/`,
    ];
    for (const url of urls) {
      const before = droppedPackets();
      const program = await attack(attacker, url);
      await eventually(() => !attacks.has(program) || droppedPackets() > before);
      assert.equal(program.stdout(), "", `${url} was reached`);
      if (attacks.has(program)) program.killGroup("SIGKILL");
      const { stderr } = await program.ended;
      assert.ok(droppedPackets() > before, `${url}: ${stderr}`);
    }
  } finally {
    service.close();
  }
});

test("a host port is reached from the node's addresses, from other pods and from its own", {
  skip,
}, async () => {
  const hostPort = await freePort();
  const own = await runContainer(crest(), await runWebPod(hostPort));
  const other = await runContainer(crest(), await runPod(crest()));
  for (const host of ["127.0.0.1", bridgeAddress()]) {
    assert.equal(await (await fetch(`http://${host}:${hostPort}/`)).text(), "hello\n", host);
  }
  for (const container of [other, own]) {
    const { stdout, stderr } = await exec(crest(), container, `wget -qO- ${bridgeAddress()}:${hostPort}`);
    assert.equal(stdout, "hello\n", stderr);
  }
});
