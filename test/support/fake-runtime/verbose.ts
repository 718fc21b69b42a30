/**
 * The `info` maps of verbose responses. Each value is JSON text. containerd's contains the original configuration as
 * Go's encoding/json writes it: proto field names, enums as numbers, zero values omitted.
 */
import type { DescField, Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { environmentOf } from "./processes.ts";
import { criSchema, parseMessage } from "./schema.ts";
import { containersOf, type FakeContainer, type FakeImage, type FakePod } from "./state.ts";
import type { World } from "./world.ts";

type Info = { [key: string]: string };

/** For PodSandboxStatus. */
export function podInfo(world: World, pod: FakePod): Info | undefined {
  const { manner, state } = world;
  const pid = pod.state === "SANDBOX_READY" ? 900 : 0;
  const runtimeSpec = spec(["/pause"], new Map());
  switch (manner.family) {
    case "cri-dockerd":
      return undefined;
    case "cri-o":
      return json({ image: "registry.k8s.io/pause:3.10", pid, runtimeSpec });
    case "containerd":
      return json({
        pid,
        processStatus: pid > 0 ? "running" : "deleted",
        netNamespaceClosed: pid === 0,
        image: "registry.k8s.io/pause:3.10",
        snapshotKey: pod.id,
        snapshotter: "overlayfs",
        ...(manner.name === "containerd-2.1"
          ? { sandboxMetadata: { Metadata: { ID: pod.id, Name: pod.reservedName } } }
          : { runtimeHandler: pod.runtimeHandler }),
        runtimeType: "io.containerd.runc.v2",
        runtimeOptions: {},
        config: goJson("PodSandboxConfig", pod.config),
        runtimeSpec,
        cniResult: {
          Interfaces: { eth0: { IPConfigs: [{ IP: pod.ip }] } },
          containers: containersOf(state, pod).length,
        },
      });
  }
}

/** For ContainerStatus. */
export function containerInfo({ manner }: World, container: FakeContainer): Info {
  const { config, image, pid } = container;
  const command = [...(config.command ?? image.entrypoint), ...(config.args ?? [])];
  const runtimeSpec = {
    ...spec(command, environmentOf(config)),
    linux: { resources: { memory: { limit: Number(config.linux?.resources?.memoryLimitInBytes ?? 0) } } },
  };
  const common = { sandboxID: container.podId, pid };
  switch (manner.family) {
    case "cri-dockerd":
      return json(common);
    case "cri-o":
      return json({ ...common, runtimeSpec, privileged: config.linux?.securityContext?.privileged ?? false });
    case "containerd":
      return json({
        ...common,
        removing: false,
        snapshotKey: container.id,
        snapshotter: "overlayfs",
        runtimeType: "io.containerd.runc.v2",
        runtimeOptions: {},
        config: goJson("ContainerConfig", config),
        runtimeSpec,
      });
  }
}

/** For ImageStatus. */
export function imageInfo({ manner }: World, image: FakeImage): Info {
  const imageSpec = {
    architecture: "amd64",
    os: "linux",
    config: { User: image.user, Entrypoint: image.entrypoint },
    rootfs: { type: "layers", diff_ids: [`sha256:${image.digits}`] },
  };
  return json(
    manner.family === "containerd" ? { chainID: `sha256:${image.digits}`, imageSpec } : { imageSpec },
  );
}

/** For Status. */
export function statusInfo({ manner }: World): Info {
  const sandboxImage = "registry.k8s.io/pause:3.10";
  switch (manner.family) {
    case "cri-dockerd":
      return { config: JSON.stringify({ sandboxImage }) };
    case "cri-o":
      return { config: JSON.stringify({ crio: { runtime: { default_runtime: "crun" } }, sandboxImage }) };
    case "containerd":
      return {
        lastCNILoadStatus: "OK",
        "lastCNILoadStatus.default": "OK",
        cniconfig: JSON.stringify({ PluginDirs: ["/usr/lib/cni"], PluginConfDir: "/etc/cni/net.d" }),
        golang: JSON.stringify("go1.23.2"),
        // From 2.0 on, another plugin configures the image.
        config: JSON.stringify({
          snapshotter: "overlayfs",
          ...(manner.name === "containerd-2.1" ? {} : { sandboxImage }),
          ...(manner.name === "containerd-1.6" ? {} : { enableCDI: manner.name === "containerd-2.1" }),
          enableSelinux: false,
          disableHugetlbController: true,
        }),
      };
  }
}

function json(info: object): Info {
  return { info: JSON.stringify(info).replace(/"\\u0000(-?\d+)"/g, "$1") };
}

/** The part of an OCI spec that contains secrets. */
function spec(command: readonly string[], environment: ReadonlyMap<string, string>): object {
  return {
    ociVersion: "1.1.0",
    process: { args: command, env: [...environment].map(([name, value]) => `${name}=${value}`), cwd: "/" },
  };
}

/** A message as Go's encoding/json writes it. */
function goJson(name: string, draft: object): object {
  const descriptor = criSchema().message(name);
  return goMessage(reflect(descriptor, parseMessage(descriptor, draft) as Message));
}

function goMessage(message: ReflectMessage): { [name: string]: unknown } {
  const json: { [name: string]: unknown } = {};
  for (const field of message.fields) {
    if (message.isSet(field)) json[field.name] = goField(message, field);
  }
  return json;
}

function goField(message: ReflectMessage, field: DescField): unknown {
  switch (field.fieldKind) {
    case "message":
      return goMessage(message.get(field));
    case "list":
      return [...message.get(field)].map(goValue);
    case "map":
      return Object.fromEntries([...message.get(field)].map(([key, value]) => [String(key), goValue(value)]));
    default:
      return goValue(message.get(field));
  }
}

function goValue(value: unknown): unknown {
  // Messages in lists and maps are reflections themselves.
  if (typeof value === "object" && value !== null && "fields" in value)
    return goMessage(value as ReflectMessage);
  // In the older definition of these runtimes, the value of an environment variable is a string.
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  // JSON.stringify cannot write all digits of a 64-bit number, so mark it as text; `json` removes the marks.
  return typeof value === "bigint" ? `\u0000${value}` : value;
}
