/** What a busy Kubernetes node holds, always the same: containers as proto JSON, about 1.2 KB each. */
import { createHash } from "node:crypto";

const apps = ["payments-api", "ingress-nginx-controller", "metrics-server", "orders-worker", "redis-cache"];
const createdAt = 1_760_000_000_000_000_000n;

/** 64 hexadecimal digits, as runtimes make ids. */
export function idOf(kind: string, index: number): string {
  return createHash("sha256").update(`${kind} ${index}`).digest("hex");
}

function uidOf(index: number): string {
  return idOf("uid", index).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");
}

/** The first `count` containers of the node, in the order of their ids, as from a runtime's own index. */
export function containers(count: number): object[] {
  const made = Array.from({ length: count }, (_, index) => container(index));
  return made.sort((a, b) => (a.id < b.id ? -1 : 1));
}

function container(index: number) {
  const { image, imageRef, labels, annotations, name } = described(index);
  return {
    id: idOf("container", index),
    podSandboxId: idOf("pod", index >> 1),
    metadata: { name, attempt: index % 3 },
    image,
    imageRef,
    state: index % 10 === 0 ? "CONTAINER_EXITED" : "CONTAINER_RUNNING",
    createdAt: createdAt + BigInt(index) * 1_234_567_891n,
    labels,
    annotations,
    imageId: imageRef,
  };
}

/** What a kubelet says of a container, in every list and in its status. */
function described(index: number) {
  const app = apps[index % apps.length] ?? "";
  const name = index % 2 === 0 ? app : "istio-proxy";
  const image = `registry.example.com/platform/${app}:v1.${index % 40}.${index % 7}`;
  return {
    name,
    image: { image, userSpecifiedImage: image },
    imageRef: `sha256:${idOf("image", index % 60)}`,
    // As from a hash table: in no order.
    labels: {
      "io.kubernetes.pod.uid": uidOf(index >> 1),
      "io.kubernetes.container.name": name,
      "io.kubernetes.pod.namespace": "production",
      "io.kubernetes.pod.name": `${app}-7c9d8b6f5d-${idOf("suffix", index >> 1).slice(0, 5)}`,
    },
    annotations: {
      "io.kubernetes.container.terminationMessagePolicy": "File",
      "io.kubernetes.container.hash": idOf("hash", index).slice(0, 8),
      "io.kubernetes.container.restartCount": String(index % 3),
      "io.kubernetes.container.ports": JSON.stringify([
        { name: "http", containerPort: 8080, protocol: "TCP" },
        { name: "metrics", containerPort: 9090, protocol: "TCP" },
      ]),
      "io.kubernetes.container.terminationMessagePath": "/dev/termination-log",
      "io.kubernetes.pod.terminationGracePeriod": "30",
    },
  };
}

/** The status of the first container, about 3 KB. */
export function containerStatus(): object {
  const { image, imageRef, labels, annotations, name } = described(0);
  return {
    ...{ id: idOf("container", 0), metadata: { name, attempt: 0 }, state: "CONTAINER_RUNNING" },
    ...{ createdAt, startedAt: createdAt + 210_345_678n },
    ...{ image, imageRef, imageId: imageRef, labels, annotations, mounts: mounts() },
    logPath: `/var/log/pods/production_${name}_${uidOf(0)}/${name}/0.log`,
    resources: { linux: resources() },
    user: { linux: { uid: 1000, gid: 1000, supplementalGroups: [1000, 2000] } },
  };
}

function mounts(): object[] {
  const folder = `/var/lib/kubelet/pods/${uidOf(0)}`;
  const volume = "volumes/kubernetes.io~projected/kube-api-access-x7k2p";
  return [
    {
      containerPath: "/var/run/secrets/kubernetes.io/serviceaccount",
      hostPath: `${folder}/${volume}`,
      readonly: true,
    },
    { containerPath: "/etc/hosts", hostPath: `${folder}/etc-hosts` },
    { containerPath: "/dev/termination-log", hostPath: `${folder}/containers/app/4f1c0b7e` },
    { containerPath: "/var/cache/app", hostPath: `${folder}/volumes/kubernetes.io~empty-dir/cache` },
  ];
}

function resources(): object {
  return {
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    cpuShares: 256,
    memoryLimitInBytes: 536_870_912,
    oomScoreAdj: 968,
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
  };
}

/**
 * A CreateContainer request as a kubelet would send it, about 4 KB.
 *
 * @param env Spells the value of an environment variable, which is bytes on the wire: as base64 in proto
 *   JSON, as plain text in Crest's.
 */
export function creation(env: (text: string) => string): object {
  const { image, labels, annotations, name } = described(0);
  const pod = { name: `${name}-0`, namespace: "production", uid: uidOf(0), attempt: 0 };
  return {
    podSandboxId: idOf("pod", 0),
    config: {
      ...{ metadata: { name, attempt: 0 }, image, labels, annotations, mounts: mounts() },
      ...{ command: ["/usr/local/bin/server"], args: ["--port=8080", "--log-format=json"] },
      workingDir: "/srv/app",
      envs: Array.from({ length: 20 }, (_, index) => ({
        key: `SERVICE_${index}_ADDRESS`,
        value: env(`tcp://10.96.${index}.17:8080`),
      })),
      logPath: `${name}/0.log`,
      linux: {
        resources: resources(),
        securityContext: {
          ...{ runAsUser: { value: 1000 }, runAsGroup: { value: 1000 }, readonlyRootfs: true },
          ...{ capabilities: { dropCapabilities: ["ALL"] }, noNewPrivs: true },
          maskedPaths: ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"],
          seccomp: { profileType: "RuntimeDefault" },
        },
      },
    },
    sandboxConfig: {
      metadata: pod,
      hostname: pod.name,
      logDirectory: "/var/log/pods/x",
      labels,
      annotations,
    },
  };
}
