/**
 * Completes requests before they go out: fills what CRI's meaning makes plain, and refuses what some
 * runtime would die of. Works on the canonical object, after the encoder has validated it.
 */
import type { ContainerConfig, ImageSpec, PodSandboxConfig } from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import type { Runtime } from "./channel.ts";
import type { Input } from "./codec.ts";
import { askable } from "./image-id.ts";
import { logFileOf, logFolderOf, makeFolderOf, makeLogFolder } from "./log-folders.ts";
import { callRules } from "./methods.ts";
import { completePodConfig } from "./pod-config.ts";
import { missing } from "./refusals.ts";
import { recallSandboxConfig } from "./sandbox-config.ts";

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
  const completions: Completions = {
    "RuntimeService/RunPodSandbox": async (request) => ({
      ...request,
      config: await completePodConfig(runtime, request.config ?? {}, logRoot),
    }),

    "RuntimeService/RestorePod": async (request) => ({
      ...request,
      config: await completePodConfig(runtime, request.config ?? {}, logRoot),
    }),

    "RuntimeService/CreateContainer": async (request) => {
      const config: Input<ContainerConfig> = request.config ?? {};
      const name = config.metadata?.name;
      if (!name) throw missing("/metadata/name", 'a container needs a name: {"metadata": {"name": "app"}}');
      if (!config.image?.image)
        throw missing("/image", 'a container needs an image: {"image": "busybox:1.35"}');
      const logPath = config.logPath || logFileOf(name, config.metadata?.attempt ?? 0);
      const sandboxConfig =
        request.sandboxConfig ?? (await recallSandboxConfig(runtime, request.podSandboxId ?? ""));
      const pod = sandboxConfig.metadata;
      if (!pod) throw missing("/sandboxConfig/metadata", "the pod's metadata, as the pod was run with it");
      const logDirectory = sandboxConfig.logDirectory || logFolderOf(logRoot, pod);
      await makeLogFolder(logDirectory, "/sandboxConfig/logDirectory");
      await makeFolderOf(logPath, logDirectory);
      return {
        ...request,
        sandboxConfig: { ...sandboxConfig, logDirectory },
        config: inNamespacesOf(sandboxConfig, { ...config, logPath, image: asWritten(config.image) }),
      };
    },

    "RuntimeService/ExecSync": async (request) => {
      if (!request.cmd?.length) throw missing("/cmd", 'name what to run: {"cmd": ["ls", "-l"]}');
      return request;
    },

    "ImageService/ImageStatus": async (request) => ({ ...request, image: askable(request.image ?? {}) }),

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

/** A container that says nothing of namespaces is in its pod's: CRI-O refuses one that differs, as CRI's default does. */
function inNamespacesOf(
  pod: Input<PodSandboxConfig>,
  container: Input<ContainerConfig>,
): Input<ContainerConfig> {
  const namespaceOptions = pod.linux?.securityContext?.namespaceOptions;
  const { linux } = container;
  if (!namespaceOptions || linux?.securityContext?.namespaceOptions) return container;
  return {
    ...container,
    linux: { ...linux, securityContext: { ...linux?.securityContext, namespaceOptions } },
  };
}
