/**
 * Length limits for the texts of a request.
 *
 * A runtime repeats parts of the request in its errors, and a gRPC error travels in HTTP/2 trailers: if it is too long,
 * it breaks the call, or the connection and every other call on it. containerd never replies to an ExecSync whose
 * program has a name of 70 KB. So every text in a request has a limit unless it is listed here.
 */
import { type Descriptors, type Field, messageOf } from "../wire/descriptor.ts";
import type { FieldRule, FieldRules } from "../wire/field-rule.ts";

/** References, paths, labels: the limit of Linux for a path, and of containerd for a label with its key. */
export const maxTextBytes = 4096;
/** Names of pods, containers, users, handlers: the longest DNS name. */
export const maxNameBytes = 253;

/** By message: texts of unlimited length, because no runtime repeats them. */
const unlimited: { readonly [message: string]: readonly string[] } = {
  PodSandboxConfig: ["annotations"],
  ContainerConfig: ["annotations"],
  ImageSpec: ["annotations"],
  UpdateContainerResourcesRequest: ["annotations"],
  // Sent to the registry. Tokens may be long.
  AuthConfig: ["username", "password", "auth", "identityToken", "registryToken"],
  // A document, for Windows.
  WindowsSandboxSecurityContext: ["credentialSpec"],
  WindowsContainerSecurityContext: ["credentialSpec"],
};

/** By message: commands. Runtimes repeat only the program's name, so its arguments are unlimited. */
const commands: { readonly [message: string]: readonly string[] } = {
  ContainerConfig: ["command", "args"],
  ExecSyncRequest: ["cmd"],
  ExecRequest: ["cmd"],
};

const names: { readonly [message: string]: readonly string[] } = {
  PodSandboxMetadata: ["name", "namespace", "uid"],
  ContainerMetadata: ["name"],
  RunPodSandboxRequest: ["runtimeHandler"],
  RestorePodRequest: ["runtimeHandler"],
  ImageSpec: ["runtimeHandler"],
  LinuxContainerSecurityContext: ["runAsUsername"],
  Capability: ["addCapabilities", "dropCapabilities", "addAmbientCapabilities"],
};

/** Adds a limit to each text in the messages reachable from `requests`. A rule's own limit takes precedence. */
export function withTextLimits(
  descriptors: Descriptors,
  requests: Iterable<string>,
  rules: FieldRules,
): FieldRules {
  const limited: { [message: string]: { readonly [field: string]: FieldRule } } = { ...rules };
  for (const message of reachable(descriptors, requests)) {
    const own: { [field: string]: FieldRule } = { ...rules[message] };
    for (const field of messageOf(descriptors, message).fields) {
      const limit = isText(field) ? limitOf(message, field.name) : undefined;
      if (limit !== undefined) own[field.name] = { ...limit, ...own[field.name] };
    }
    limited[message] = own;
  }
  return limited;
}

function limitOf(message: string, field: string): FieldRule | undefined {
  if (unlimited[message]?.includes(field)) return undefined;
  if (commands[message]?.includes(field)) return { maxFirstBytes: maxTextBytes };
  return { maxBytes: names[message]?.includes(field) ? maxNameBytes : maxTextBytes };
}

const isText = (field: Field): boolean => field.kind === "scalar" && field.type === "string";

/** The given messages, and all messages nested in them. */
function reachable(descriptors: Descriptors, messages: Iterable<string>): ReadonlySet<string> {
  const found = new Set(messages);
  for (const message of found) {
    for (const field of messageOf(descriptors, message).fields) {
      if (field.kind === "message") found.add(field.type);
    }
  }
  return found;
}
