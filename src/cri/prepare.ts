/**
 * Completes requests before they go out: fills what CRI's meaning makes plain. Works on the canonical
 * object, after the encoder has validated it.
 */
import type { ContainerConfig, ImageSpec, PodSandboxConfig } from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import type { Runtime } from "./channel.ts";
import type { Input } from "./codec.ts";
import { limitedTimeout } from "./exec-timeout.ts";
import { askable } from "./image-id.ts";
import { logFileOf, logFolderOf, makeFolderOf, makeLogFolder } from "./log-folders.ts";
import { completePodConfig } from "./pod-config.ts";
import { refusal } from "./refusals.ts";
import { recallSandboxConfig } from "./sandbox-config.ts";

/** Completes a validated request of one RPC. @throws {InvalidValue}; {GatewayError} `not_found`. */
type Complete<R extends Rpc> = (
  request: Input<Methods[R]["request"]>,
) => Promise<Input<Methods[R]["request"]>>;
type Completions = { readonly [R in Rpc]?: Complete<R> };

export interface Prepare {
  /** Whether requests of `rpc` are completed at all; for the others the caller's bytes go out as they are. */
  handles(rpc: Rpc): boolean;
  /** The request with what was missing. @throws {InvalidValue} where this runtime could not use it. */
  complete<R extends Rpc>(
    rpc: R,
    request: Input<Methods[R]["request"]>,
  ): Promise<Input<Methods[R]["request"]>>;
}

export interface PrepareOptions {
  readonly runtime: Runtime;
  /** Pods that name no log directory get one below this folder. */
  readonly logRoot: string;
  /** Milliseconds that a command may take; 0: no limit. */
  readonly execMaxMs: number;
}

export function createPrepare({ runtime, logRoot, execMaxMs }: PrepareOptions): Prepare {
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
      const { name = "", attempt = 0 } = config.metadata ?? {};
      const logPath = config.logPath || logFileOf(name, attempt);
      const sandboxConfig =
        request.sandboxConfig ?? (await recallSandboxConfig(runtime, request.podSandboxId ?? ""));
      const pod = sandboxConfig.metadata;
      if (!pod) throw refusal("/sandboxConfig/metadata", "must be given, as the pod was run with it");
      const logDirectory = sandboxConfig.logDirectory || logFolderOf(logRoot, pod);
      await makeLogFolder(logDirectory, "/sandboxConfig/logDirectory");
      await makeFolderOf(logPath, logDirectory);
      return {
        ...request,
        sandboxConfig: { ...sandboxConfig, logDirectory },
        config: inNamespacesOf(sandboxConfig, { ...config, logPath, image: asWritten(config.image ?? {}) }),
      };
    },

    "RuntimeService/ExecSync": async (request) => ({
      ...request,
      timeout: limitedTimeout(request.timeout, execMaxMs),
    }),

    "ImageService/ImageStatus": async (request) => ({ ...request, image: askable(request.image ?? {}) }),

    "ImageService/PullImage": async (request) => ({ ...request, image: asWritten(request.image ?? {}) }),
  };

  return {
    handles: (rpc) => rpc in completions,
    async complete<R extends Rpc>(rpc: R, request: Input<Methods[R]["request"]>) {
      const complete = completions[rpc] as Complete<R> | undefined;
      return complete ? await complete(request) : request;
    },
  };
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
