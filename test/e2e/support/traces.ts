/**
 * What a private runtime has on the machine, found by marks that only it has: others may be running
 * theirs at the same time.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listProcesses } from "../../../src/embedded/processes.ts";

/** The kinds of traces that a runtime with a pod has. */
export const allKinds = ["cgroup", "file", "link", "mount", "process", "rule"];

/**
 * The marks of the runtime in `dataDir`: its folder, network, subnet, the host's ends of its pods' links,
 * the ids of pods and containers, and the sockets of their shims. Taken while the pods run.
 */
export function marksOf(dataDir: string, ids: readonly string[]): readonly string[] {
  const conflist = readFileSync(join(dataDir, "cni", "10-crest.conflist"), "utf8");
  const network = (JSON.parse(conflist) as { readonly name: string }).name;
  const subnet = readFileSync(join(dataDir, "subnet"), "utf8").replace(/0\/24\n$/, "");
  const ports = readdirSync(`/sys/class/net/${network}/brif`);
  return [dataDir, network, subnet, ...ports, ...ids, ...shimSocketsOf(dataDir, ids)];
}

function shimSocketsOf(dataDir: string, ids: readonly string[]): readonly string[] {
  const tasks = join(dataDir, "containerd-state", "io.containerd.runtime.v2.task", "k8s.io");
  return ids
    .map((id) => join(tasks, id, "address"))
    .filter((path) => existsSync(path))
    .flatMap((path) => /[0-9a-f]{64}$/.exec(readFileSync(path, "utf8").trim())?.[0] ?? []);
}

/** Everything on the machine that has one of `marks`, one line each, which begins with its kind. */
export function tracesOf(marks: readonly string[]): readonly string[] {
  const marked = (kind: string, texts: readonly string[]) =>
    texts.filter((text) => marks.some((mark) => text.includes(mark))).map((text) => `${kind} ${text}`);
  const records = ["/run/netns", "/run/containerd", "/var/lib/cni"];
  const own = marks
    .filter((mark) => mark.startsWith("/"))
    .flatMap((dataDir) => [join(dataDir, "containerd-state"), join(dataDir, "containerd.sock")]);
  return [
    ...marked("process", processes()),
    ...marked("mount", readFileSync("/proc/self/mountinfo", "utf8").split("\n")),
    ...marked("link", readdirSync("/sys/class/net")),
    ...marked("rule", execFileSync("iptables-save", { encoding: "utf8" }).split("\n")),
    ...marked("cgroup", pathsBelow(["/sys/fs/cgroup"], "d")),
    ...marked("file", pathsBelow([...records, ...own].filter(existsSync), "f,d,s")),
  ];
}

/** The kinds that occur in traces. */
export function kindsOf(traces: readonly string[]): readonly string[] {
  return [...new Set(traces.map((trace) => trace.slice(0, trace.indexOf(" "))))].sort();
}

/** Command line and cgroup of each: a container's own process has its id in the cgroup only. */
function processes(): readonly string[] {
  return listProcesses()
    .filter(({ pid }) => pid !== process.pid)
    .map(({ pid, argv }) => `${pid} ${argv.join(" ")} ${cgroupOf(pid)}`);
}

function cgroupOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8").replaceAll("\n", " ");
  } catch {
    return ""; // It ended meanwhile.
  }
}

/** By find(1), which goes on when others remove what it is looking at. */
function pathsBelow(folders: readonly string[], types: string): readonly string[] {
  return spawnSync("find", [...folders, "-type", types], { encoding: "utf8" }).stdout.split("\n");
}
