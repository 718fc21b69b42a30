/**
 * Completes requests before they go out: fills what CRI's meaning makes plain, and refuses what some
 * runtime would die of. Works on the canonical object, after the encoder has validated it.
 */
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { GatewayError } from "../errors.ts";
import type { ContainerConfig, ImageSpec, PodSandboxConfig, PodSandboxMetadata } from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import { createCgroupDriver } from "./cgroup-driver.ts";
import type { Runtime } from "./channel.ts";
import type { Input } from "./codec.ts";
import { callRules } from "./methods.ts";
import { recallSandboxConfig } from "./sandbox-config.ts";

/** The label that every pod made through Crest carries: what `--allow-unmanaged` is about. */
export const managedLabel = "crest/managed";

/** Completes a validated request of one RPC. @throws {GatewayError} `invalid_request`, `not_found`. */
type Complete<R extends Rpc> = (
  request: Input<Methods[R]["request"]>,
) => Promise<Input<Methods[R]["request"]>>;
type Completions = { readonly [R in Rpc]?: Complete<R> };

export interface Prepare {
  /** Whether requests of `rpc` are completed at all; for the others the caller's bytes go out as they are. */
  handles(rpc: Rpc): boolean;
  /** The request with what was missing. @throws {GatewayError} `invalid_request` where nothing sensible can be filled in. */
  complete<R extends Rpc>(
    rpc: R,
    request: Input<Methods[R]["request"]>,
  ): Promise<Input<Methods[R]["request"]>>;
}

export interface PrepareOptions {
  readonly runtime: Runtime;
  /** Pods that name no log directory get one below this folder. */
  readonly logRoot: string;
}

export function createPrepare({ runtime, logRoot }: PrepareOptions): Prepare {
  const cgroupDriver = createCgroupDriver(runtime);

  async function podConfig(config: Input<PodSandboxConfig>): Promise<Input<PodSandboxConfig>> {
    const named = config.metadata?.name;
    if (!named) throw missing("/metadata/name", 'a pod needs a name: {"metadata": {"name": "web"}}');
    const metadata = {
      ...config.metadata,
      name: named,
      uid: config.metadata?.uid || randomUUID(),
      namespace: config.metadata?.namespace || "default",
    };
    const cgroupParent =
      config.linux?.cgroupParent || ((await cgroupDriver()) === "SYSTEMD" ? "crest.slice" : "/crest");
    refuseRelative("/logDirectory", config.logDirectory);
    const logDirectory = config.logDirectory || join(logRoot, folderName(metadata));
    await makeLogDirectory(logDirectory);
    return {
      ...config,
      metadata,
      logDirectory,
      labels: { ...config.labels, [managedLabel]: "true" },
      linux: { ...config.linux, cgroupParent },
    };
  }

  const completions: Completions = {
    "RuntimeService/RunPodSandbox": async (request) => ({
      ...request,
      config: await podConfig(request.config ?? {}),
    }),

    "RuntimeService/RestorePod": async (request) => ({
      ...request,
      config: await podConfig(request.config ?? {}),
    }),

    "RuntimeService/CreateContainer": async (request) => {
      const config: Input<ContainerConfig> = request.config ?? {};
      const name = config.metadata?.name;
      if (!name) throw missing("/metadata/name", 'a container needs a name: {"metadata": {"name": "app"}}');
      if (!config.image?.image)
        throw missing("/image", 'a container needs an image: {"image": "busybox:1.35"}');
      const logPath = config.logPath || `${safeName(name)}/${config.metadata?.attempt ?? 0}.log`;
      refuseClimbing(logPath);
      const sandboxConfig =
        request.sandboxConfig ?? (await recallSandboxConfig(runtime, request.podSandboxId ?? ""));
      const pod = sandboxConfig.metadata;
      if (!pod) throw missing("/sandboxConfig/metadata", "the pod's metadata, as the pod was run with it");
      refuseRelative("/sandboxConfig/logDirectory", sandboxConfig.logDirectory);
      const logDirectory = sandboxConfig.logDirectory || join(logRoot, folderName(pod));
      // Runtimes make the folders above a log file themselves, but for cri-dockerd.
      await makeLogDirectory(dirname(join(logDirectory, logPath)));
      return {
        ...request,
        sandboxConfig: { ...sandboxConfig, logDirectory },
        config: { ...config, logPath, image: asWritten(config.image) },
      };
    },

    "RuntimeService/ExecSync": async (request) => {
      if (!request.cmd?.length) throw missing("/cmd", 'name what to run: {"cmd": ["ls", "-l"]}');
      return request;
    },

    "ImageService/PullImage": async (request) => {
      if (!request.image?.image) throw missing("/image", 'name what to pull: {"image": "busybox:1.35"}');
      return { ...request, image: asWritten(request.image) };
    },

    "RuntimeService/UpdateContainerResources": async (request) => {
      if (request.linux || request.windows) return { ...request, linux: request.linux ?? {} };
      throw missing("/linux", 'give the resources to change: {"linux": {"cpuShares": "512"}}');
    },
  };

  return {
    handles: (rpc) => rpc in completions,
    async complete<R extends Rpc>(rpc: R, request: Input<Methods[R]["request"]>) {
      const complete = completions[rpc] as Complete<R> | undefined;
      const completed = complete ? await complete(request) : request;
      refuseIncomplete(rpc, completed);
      return completed;
    },
  };
}

/** The last guard before the wire: no request leaves without a message that some runtime dereferences unchecked. */
function refuseIncomplete(rpc: Rpc, request: object): void {
  for (const path of callRules[rpc].required ?? []) {
    const found = path
      .split(".")
      .reduce<unknown>((at, key) => (at as { [key: string]: unknown } | undefined)?.[key], request);
    if (found === undefined) throw missing(`/${path.replaceAll(".", "/")}`, "the runtime needs it");
  }
}

/** CRI-O's signature policy asks for the reference as the user wrote it. */
function asWritten(image: Input<ImageSpec>): Input<ImageSpec> {
  return { ...image, userSpecifiedImage: image.userSpecifiedImage || image.image || "" };
}

function missing(pointer: string, detail: string): GatewayError {
  return new GatewayError("invalid_request", `Missing ${pointer}: ${detail}`, {
    errors: [{ pointer, detail }],
  });
}

/** Every runtime joins the log path to the log directory and follows `..` out of it, as root. */
function refuseClimbing(logPath: string): void {
  if (!logPath.split("/").includes("..")) return;
  throw wrong("/logPath", `must stay below the pod's log directory, got "${logPath}"`);
}

/** A relative folder would be made here, and again where the runtime was started. */
function refuseRelative(pointer: string, logDirectory: string | undefined): void {
  if (!logDirectory || isAbsolute(logDirectory)) return;
  throw wrong(pointer, `must be an absolute path, got "${logDirectory}"`);
}

function wrong(pointer: string, detail: string): GatewayError {
  return new GatewayError("invalid_request", `Invalid ${pointer}: ${detail}`, {
    errors: [{ pointer, detail }],
  });
}

/** Names are not file names: they may hold slashes. */
const safeName = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^\.+$/, "-");

function folderName(pod: Input<PodSandboxMetadata>): string {
  return [pod.namespace, pod.name, pod.uid].map((part) => safeName(part ?? "")).join("_");
}

async function makeLogDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    // The runtime is root and mostly makes it itself; a gateway that is not root need not.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") return;
    throw new GatewayError("invalid_request", `Cannot make the log directory ${path}: ${code ?? error}`, {
      cause: error,
      errors: [
        { pointer: "/logDirectory", detail: `must be a folder, or a path where one can be made (${code})` },
      ],
    });
  }
}
