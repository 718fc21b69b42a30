/**
 * Completes requests before they are sent: fills in defaults that follow from CRI's semantics. Works on the canonical
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

/** Completes a validated request of one RPC. @throws {InvalidValue}; {GatewayError} `not_found` */
type Complete<R extends Rpc> = (
  request: Input<Methods[R]["request"]>,
) => Promise<Input<Methods[R]["request"]>>;

/** What completes the requests of an RPC. For other RPCs the caller's bytes are sent unchanged. */
export type Defaults = { readonly [R in Rpc]?: Complete<R> };

type Preparations = { readonly [R in Rpc]?: (request: Input<Methods[R]["request"]>) => Promise<void> };

export interface DefaultsOptions {
  readonly runtime: Runtime;
  /** Parent folder for the logs of pods without a log directory. */
  readonly logRoot: string;
  /** Longest duration of a command, in milliseconds; 0: no limit. */
  readonly execMaxMs: number;
}

export function createDefaults({ runtime, logRoot, execMaxMs }: DefaultsOptions): Defaults {
  const defaults: Defaults = {
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
      // A container that is checked before its pod is made comes with the whole config of the pod.
      const recalled = request.podSandboxId ? await recallSandboxConfig(runtime, request.podSandboxId) : {};
      const sandboxConfig = completeSandboxConfig(request.sandboxConfig ?? {}, recalled);
      const pod = sandboxConfig.metadata;
      if (!pod) throw refusal("/sandboxConfig/metadata", "must be given, as the pod was run with it");
      const logDirectory = sandboxConfig.logDirectory || logFolderOf(logRoot, pod);
      const logPath = config.logPath || (await logFileOf(logDirectory, name, attempt));
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

  /** Returns the image in the form in which the runtime finds it, with a name for signature policies. */
  async function completeImage(image: Input<ImageSpec>): Promise<Input<ImageSpec>> {
    const reference = await findableReference(runtime, image.image ?? "");
    const userSpecifiedImage = image.userSpecifiedImage || (await nameOf(reference)) || image.image || "";
    return { ...image, image: reference, userSpecifiedImage };
  }

  /** Returns a name of the image when CRI-O needs one and the caller gave an id; otherwise undefined. */
  async function nameOf(reference: string): Promise<string | undefined> {
    if (imageIdDigits(reference) === undefined || !(await isRuntime(runtime, "cri-o"))) return undefined;
    const { image } = await call(runtime, "ImageService/ImageStatus", { image: { image: reference } });
    return image?.repoTags[0] ?? image?.repoDigests[0];
  }

  return defaults;
}

/** Makes the folders for logs that a completed request names. Each throws {InvalidValue} when it cannot. */
export const preparations: Preparations = {
  "RuntimeService/RunPodSandbox": ({ config }) => makePodFolder(config),
  "RuntimeService/RestorePod": ({ config }) => makePodFolder(config),
  "RuntimeService/CreateContainer": async ({ config, sandboxConfig }) => {
    const logDirectory = sandboxConfig?.logDirectory ?? "";
    await makeLogFolder(logDirectory, "/sandboxConfig/logDirectory");
    await makeFolderOf(config?.logPath ?? "", logDirectory);
  },
};

const makePodFolder = (config: Input<PodSandboxConfig> | undefined): Promise<void> =>
  makeLogFolder(config?.logDirectory ?? "", "/config/logDirectory");

/** Records the reference as the user wrote it, because CRI-O's signature policy applies to that. */
function asWritten(image: Input<ImageSpec>): Input<ImageSpec> {
  return { ...image, userSpecifiedImage: image.userSpecifiedImage || image.image || "" };
}

/**
 * Completes a container's Linux config, which is always sent, including its namespaces: those of the pod unless the
 * container sets its own.
 *
 * Some runtimes distinguish an absent message from an empty one. Without `linux`, cri-dockerd creates a container in
 * none of its pod's namespaces. Without `securityContext`, CRI-O runs it as root even if its image names another user.
 * CRI-O also refuses a container whose namespaces differ from its pod's, as they do by CRI's default.
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
