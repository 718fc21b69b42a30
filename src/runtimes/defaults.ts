/**
 * Completes requests before they go out: fills what CRI's meaning makes plain. Works on the canonical
 * object, after the encoder has validated it.
 */

import { call } from "../cri/call.ts";
import { plainCapabilities } from "../cri/capability-names.ts";
import type { Runtime } from "../cri/channel.ts";
import type { Input } from "../cri/codec.ts";
import type {
  ContainerConfig,
  ImageSpec,
  LinuxContainerConfig,
  Mount,
  PodSandboxConfig,
} from "../gen/messages.ts";
import type { Methods, Rpc } from "../gen/methods.ts";
import { limitedTimeout } from "./exec-limit.ts";
import { isRuntime } from "./identity.ts";
import { findableReference, imageIdDigits } from "./image-id.ts";
import { logFileOf, logFolderOf, makeFolderOf, makeLogFolder } from "./log-folders.ts";
import { checkPodConfig } from "./pod-checks.ts";
import { completePodConfig } from "./pod-config.ts";
import { refusal } from "./refusals.ts";
import { completeCredentials } from "./registry-credentials.ts";
import { completeSandboxConfig, recallSandboxConfig } from "./sandbox-config.ts";

/** Completes a validated request of one RPC. @throws {InvalidValue}; {GatewayError} `not_found`. */
type Complete<R extends Rpc> = (
  request: Input<Methods[R]["request"]>,
) => Promise<Input<Methods[R]["request"]>>;
type Completions = { readonly [R in Rpc]?: Complete<R> };

export interface Defaults {
  /** Whether requests of `rpc` are completed at all; for the others the caller's bytes go out as they are. */
  handles(rpc: Rpc): boolean;
  /** The request with what was missing. @throws {InvalidValue} where this runtime could not use it. */
  apply<R extends Rpc>(rpc: R, request: Input<Methods[R]["request"]>): Promise<Input<Methods[R]["request"]>>;
}

export interface DefaultsOptions {
  readonly runtime: Runtime;
  /** Pods that name no log directory get one below this folder. */
  readonly logRoot: string;
  /** Milliseconds that a command may take; 0: no limit. */
  readonly execMaxMs: number;
}

export function createDefaults({ runtime, logRoot, execMaxMs }: DefaultsOptions): Defaults {
  const completions: Completions = {
    "RuntimeService/RunPodSandbox": async (request) => {
      const config = request.config ?? {};
      checkPodConfig(config);
      return { ...request, config: await completePodConfig(runtime, config, logRoot) };
    },

    "RuntimeService/RestorePod": async (request) => {
      const config = request.config ?? {};
      checkPodConfig(config);
      return { ...request, config: await completePodConfig(runtime, config, logRoot) };
    },

    "RuntimeService/CreateContainer": async (request) => {
      const config: Input<ContainerConfig> = request.config ?? {};
      const { name = "", attempt = 0 } = config.metadata ?? {};
      const logPath = config.logPath || logFileOf(name, attempt);
      const recalled = await recallSandboxConfig(runtime, request.podSandboxId ?? "");
      const sandboxConfig = completeSandboxConfig(request.sandboxConfig ?? {}, recalled);
      const pod = sandboxConfig.metadata;
      if (!pod) throw refusal("/sandboxConfig/metadata", "must be given, as the pod was run with it");
      const logDirectory = sandboxConfig.logDirectory || logFolderOf(logRoot, pod);
      await makeLogFolder(logDirectory, "/sandboxConfig/logDirectory");
      await makeFolderOf(logPath, logDirectory);
      return {
        ...request,
        sandboxConfig: { ...sandboxConfig, logDirectory },
        config: {
          ...config,
          logPath,
          image: await completeImage(config.image ?? {}),
          mounts: await Promise.all((config.mounts ?? []).map(completeMount)),
          linux: completeLinux(sandboxConfig, config.linux ?? {}),
        },
      };
    },

    "RuntimeService/ExecSync": async (request) => ({
      ...request,
      timeout: limitedTimeout(request.timeout, execMaxMs),
    }),

    "ImageService/ImageStatus": async (request) => ({
      ...request,
      image: { ...request.image, image: await findableReference(runtime, request.image?.image ?? "") },
    }),

    "ImageService/PullImage": async ({ auth, ...request }) => ({
      ...request,
      image: asWritten(request.image ?? {}),
      ...(auth === undefined ? {} : { auth: await completeCredentials(runtime, auth) }),
    }),
  };

  async function completeMount(mount: Input<Mount>): Promise<Input<Mount>> {
    return mount.image === undefined ? mount : { ...mount, image: await completeImage(mount.image) };
  }

  /** The image in the form in which the runtime finds it, with a name for a signature policy. */
  async function completeImage(image: Input<ImageSpec>): Promise<Input<ImageSpec>> {
    const reference = await findableReference(runtime, image.image ?? "");
    const userSpecifiedImage = image.userSpecifiedImage || (await nameOf(reference)) || image.image || "";
    return { ...image, image: reference, userSpecifiedImage };
  }

  /** A name of the image where CRI-O asks for one and the caller gave an id; undefined where that is not so. */
  async function nameOf(reference: string): Promise<string | undefined> {
    if (imageIdDigits(reference) === undefined || !(await isRuntime(runtime, "cri-o"))) return undefined;
    const { image } = await call(runtime, "ImageService/ImageStatus", { image: { image: reference } });
    return image?.repoTags[0] ?? image?.repoDigests[0];
  }

  return {
    handles: (rpc) => rpc in completions,
    async apply<R extends Rpc>(rpc: R, request: Input<Methods[R]["request"]>) {
      const complete = completions[rpc] as Complete<R> | undefined;
      return complete ? await complete(request) : request;
    },
  };
}

/** The reference as the user wrote it, which CRI-O's signature policy is about. */
function asWritten(image: Input<ImageSpec>): Input<ImageSpec> {
  return { ...image, userSpecifiedImage: image.userSpecifiedImage || image.image || "" };
}

/**
 * A container's part for Linux, which is always sent, down to the namespaces: those of the pod unless the container
 * says otherwise.
 *
 * An absent message is not an empty one to every runtime. Without `linux` cri-dockerd makes a container that is in no
 * namespace of its pod, without `securityContext` CRI-O runs it as root whatever user its image names, and CRI-O
 * refuses a container whose namespaces differ from those of its pod, as CRI's default does.
 */
function completeLinux(
  pod: Input<PodSandboxConfig>,
  linux: Input<LinuxContainerConfig>,
): Input<LinuxContainerConfig> {
  const { securityContext } = linux;
  const namespaceOptions =
    securityContext?.namespaceOptions ?? pod.linux?.securityContext?.namespaceOptions ?? {};
  const completed = { ...linux, securityContext: { ...securityContext, namespaceOptions } };
  if (securityContext?.capabilities === undefined) return completed;
  const capabilities = plainCapabilities(securityContext.capabilities);
  return { ...completed, securityContext: { ...completed.securityContext, capabilities } };
}
