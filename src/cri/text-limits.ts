/**
 * How long the texts of a request may be.
 *
 * A runtime repeats what it was asked for in its errors, and a gRPC error travels in HTTP/2 trailers: one that is
 * too long ends the call, or the connection with every other call. containerd never answers an ExecSync whose
 * program has a name of 70 KB. So every text of a request has a limit unless it is named here.
 */
import { type Descriptors, type Field, messageOf } from "../wire/descriptor.ts";
import type { FieldRule, FieldRules } from "../wire/field-rule.ts";

/** References, paths, labels. Linux takes no longer path, and containerd no longer label with its key. */
export const maxTextBytes = 4096;
/** Names of pods, containers, users, handlers: the longest DNS name. */
export const maxNameBytes = 253;

/** By message: texts that may have any length, because no runtime repeats them. */
const unlimited: { readonly [message: string]: readonly string[] } = {
  PodSandboxConfig: ["annotations"],
  ContainerConfig: ["annotations"],
  ImageSpec: ["annotations"],
  UpdateContainerResourcesRequest: ["annotations"],
  // These go to the registry. Tokens may be long.
  AuthConfig: ["username", "password", "auth", "identityToken", "registryToken"],
  // A document, for Windows.
  WindowsSandboxSecurityContext: ["credentialSpec"],
  WindowsContainerSecurityContext: ["credentialSpec"],
};

/** By message: commands. Only the name of the program is repeated; its arguments may have any length. */
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

/** `rules` with a limit for each text of the messages below `requests` that has none of its own. */
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

/** The messages themselves, and every message that is in one of them. */
function reachable(descriptors: Descriptors, messages: Iterable<string>): ReadonlySet<string> {
  const found = new Set(messages);
  for (const message of found) {
    for (const field of messageOf(descriptors, message).fields) {
      if (field.kind === "message") found.add(field.type);
    }
  }
  return found;
}
