/**
 * What a pod or container may request of the node, derived from the table in field-policies.ts: fills in safe values,
 * and refuses what exceeds the level, unless a host word of the caller permits it.
 */
import { statSync } from "node:fs";
import { posix } from "node:path";
import type { Input } from "../../cri/codec.ts";
import type { GatewayError } from "../../errors.ts";
import { descriptors } from "../../gen/descriptors.ts";
import type { ContainerConfig, PodSandboxConfig } from "../../gen/messages.ts";
import { methods, type Rpc } from "../../gen/methods.ts";
import type { PolicyLevel } from "../../grants.ts";
import { imageIdDigits } from "../../runtimes/image-id.ts";
import { logFolderOf } from "../../runtimes/log-folders.ts";
import { podCgroup } from "../../runtimes/pod-cgroup.ts";
import { messageOf } from "../../wire/descriptor.ts";
import { jsonPointer } from "../../wire/invalid-value.ts";
import { arePullsNarrowed, type Caller, canUse, layersOf } from "../authorize.ts";
import { repositoryOf } from "../reference.ts";
import type { Ask } from "./ask.ts";
import { type At, fieldPolicies, type Rule } from "./field-policies.ts";
import { type HostGrant, holds, hostFlag, hostGrantOf } from "./host-grant.ts";
import { resolveNodePath, whyUnsafe } from "./node-path.ts";
import { type Flags, lacking, type Refusal, type Refused, refusalOf } from "./refusal.ts";

type Message = { readonly [field: string]: unknown };
type Path = readonly (string | number)[];

export interface PodPolicy {
  /**
   * Returns the request with safe values, and with the paths of the node that it names resolved.
   *
   * @throws {GatewayError} not_capable: with all that the caller may not ask for, each with the word that permits it.
   *   The pointers are into the request message.
   */
  apply(rpc: Rpc, request: Message, caller: Caller, options?: ApplyOptions): Message;
  /** The same, but returns what the caller may not ask for: for requests that are refused together. */
  judge(rpc: Rpc, request: Message, caller: Caller, options?: ApplyOptions): Judgement;
  /** The error for what `judge` found, in at least one request. */
  refusal(refusals: readonly Refusal[]): GatewayError;
  /** The images of containers in a request; `apply` must be told which of them are checkpoints. None if it is all one. */
  imagesIn(request: Message, caller: Caller): readonly string[];
}

export interface ApplyOptions {
  /** Those of `imagesIn` that are checkpoints. Default: none. */
  readonly checkpoints?: ReadonlySet<string>;
  /** Called with each grant that the request needs besides its route's: `host=port:8000-8010`, `pull`. */
  readonly used?: (grant: string) => void;
}

export interface Judgement {
  /** The request with safe values, and with the paths that the caller may ask for resolved. */
  readonly message: Message;
  readonly refusals: readonly Refusal[];
}

export interface PodPolicyOptions {
  readonly level: PolicyLevel;
  /** Parent folder of the logs of pods. */
  readonly logRoot: string;
  /** What no pod may reach, whatever word is granted: the gateway's own files, the runtime's socket. */
  readonly kept: readonly string[];
}

/** One thing that a request asks for, and where. */
interface Found {
  readonly path: Path;
  readonly ask: Ask;
}

export function createPodPolicy({ level, logRoot, kept }: PodPolicyOptions): PodPolicy {
  const refusal = (refusals: readonly Refusal[]): GatewayError => refusalOf(refusals, level);
  const policy: PodPolicy = {
    refusal,
    apply(rpc, request, caller, options) {
      const { message, refusals } = policy.judge(rpc, request, caller, options);
      if (refusals.length > 0) throw refusal(refusals);
      return message;
    },
    judge(rpc, request, caller, { checkpoints = new Set(), used } = {}) {
      const layers = layersOf(caller);
      const grant = hostGrantOf(layers);
      if (grant.isWhole) return { message: request, refusals: [] };
      const each = layers.map((layer) => hostGrantOf([layer]));
      const { message, found } = review(methods[rpc].request, request, {
        level,
        holds: (word, value) => holds(grant, word, value),
        logFolderOf: ({ metadata }) => logFolderOf(logRoot, metadata ?? {}),
        isPodCgroup: (cgroup, uid) =>
          uid !== "" && [podCgroup("SYSTEMD", uid), podCgroup("CGROUPFS", uid)].includes(cgroup),
        isFile,
        isCheckpoint: (image) => checkpoints.has(image),
      });
      const refusals: Refusal[] = [];
      let allowed = message;
      for (const { path, ask } of found) {
        const decision = decide(ask, { caller, grant, each, kept });
        if ("refused" in decision) {
          refusals.push({ pointer: jsonPointer(path), ...decision.refused });
          continue;
        }
        for (const grant of decision.by) used?.(grant);
        if (decision.path !== undefined)
          allowed = withValue(allowed, placeOf(path, ask), `${ask.prefix ?? ""}${decision.path}`);
      }
      return { message: allowed, refusals };
    },
    imagesIn({ config, containerConfigs }, caller) {
      if (hostGrantOf(layersOf(caller)).isWhole) return [];
      const configs = [config, ...((containerConfigs ?? []) as readonly unknown[])];
      return configs.flatMap((one) => (one as Input<ContainerConfig> | undefined)?.image?.image || []);
    },
  };
  return policy;
}

const placeOf = (path: Path, { member }: Ask): Path => (member === undefined ? path : [...path, member]);

/** Whether the policy may change or refuse a request of this RPC. */
export const hasPolicy = (rpc: Rpc): boolean =>
  Object.values(fieldPolicies[methods[rpc].request] ?? {}).some((policy) => policy !== "free");

// ---- What a request asks for ----

type Facts = Omit<At, "parent" | "pod" | "isPrivileged">;

/** Walks through a request along the table. */
function review(
  type: string,
  request: Message,
  facts: Facts,
): { readonly message: Message; readonly found: readonly Found[] } {
  const found: Found[] = [];

  function visit(type: string, message: Message, path: Path, around: Around): Message {
    const policies = fieldPolicies[type];
    const result: { [field: string]: unknown } = { ...message };
    const pod = type === "PodSandboxConfig" ? (message as Input<PodSandboxConfig>) : around.pod;
    const isPrivileged = around.isPrivileged || (message.privileged === true && facts.holds("privileged"));
    const at: At = { ...facts, parent: message, pod, isPrivileged };
    for (const field of messageOf(descriptors, type).fields) {
      const policy = policies?.[field.name];
      if (policy === undefined) throw new TypeError(`No policy for ${type}.${field.name}`);
      if (policy === "free") continue;
      const here = [...path, field.name];
      const rule = policy as AnyRule;
      const given = message[field.name];
      for (const ask of rule.asks?.(given, at) ?? [])
        found.push({ path: ask.at === undefined ? here : [...here, ask.at], ask });
      let value = around.asIs || rule.fill === undefined ? given : rule.fill(given, at);
      if (rule.inside && field.kind === "message") {
        const below: Around = { pod, isPrivileged, asIs: around.asIs || rule.asIs === true };
        const into = (one: unknown, ...index: number[]): Message =>
          visit(field.type, one as Message, [...here, ...index], below);
        if (field.repeated)
          value = (value as readonly unknown[] | undefined)?.map((one, index) => into(one, index));
        else if (value !== undefined) value = into(value);
        else if (rule.always && !below.asIs) value = into({});
      }
      if (value !== undefined) result[field.name] = value;
    }
    return result;
  }

  return { message: visit(type, request, [], { pod: {}, isPrivileged: false, asIs: false }), found };
}

interface Around {
  readonly pod: Input<PodSandboxConfig>;
  readonly isPrivileged: boolean;
  readonly asIs: boolean;
}

/** A rule of the table without the type of its field. */
interface AnyRule extends Omit<Rule, "asks" | "fill"> {
  readonly asks?: (value: unknown, at: At) => readonly Ask[];
  readonly fill?: (value: unknown, at: At) => unknown;
}

/** The runtime's working folder is the root. */
function isFile(name: string): boolean {
  try {
    return name !== "" && statSync(posix.join("/", name)).isFile();
  } catch {
    return false;
  }
}

function withValue(message: Message, [key = "", ...path]: Path, value: string): Message {
  const below = message[key] as Message | undefined;
  const changed = path.length === 0 ? value : withValue(below ?? {}, path, value);
  if (!Array.isArray(message)) return { ...message, [key]: changed };
  return Object.assign([...message], { [key]: changed }) as unknown as Message;
}

// ---- What the caller may ask for ----

/** `by`: the grants that permit it. `path`: what the runtime gets in place of the given one. */
type Decision = { readonly refused: Refused } | { readonly by: readonly string[]; readonly path?: string };

interface Deciding {
  readonly caller: Caller;
  readonly grant: HostGrant;
  /** The same for each layer alone: first the process, then the caller's tokens. */
  readonly each: readonly HostGrant[];
  readonly kept: readonly string[];
}

function decide(ask: Ask, deciding: Deciding): Decision {
  const { caller, grant, each, kept } = deciding;
  if (ask.reference !== undefined) return decideImage(ask, ask.reference, caller);
  const isPath = ask.value !== undefined && isPathWord(ask.word);
  // Who may have every path that is not denied gets those that cannot be resolved as well, if no denial names a path.
  if (!isPath || (grant.isOpen && !grant.deniesPaths)) return decideWord(ask, each);
  const found = resolveNodePath(ask, grant.isOpen ? [] : kept);
  if ("why" in found) return never(`${ask.detail}: this path ${found.why}`, each);
  const real = { ...ask, value: found.path };
  const decision = decideWord(real, each);
  if ("refused" in decision) return decision;
  const unsafe = whyUnsafe(found.path, real, grant);
  return unsafe === undefined
    ? { ...decision, path: found.path }
    : never(`${ask.detail}: this path ${unsafe}`, each);
}

const pathWords: ReadonlySet<string> = new Set(["mount", "device", "seccomp", "logs", "checkpoint"]);
const isPathWord = (word: string | undefined): boolean => word !== undefined && pathWords.has(word);

const wholeHost: Flags = { add: "--allow-host" };

/** Only those may do it who may ask for everything. */
function never(detail: string, each: readonly HostGrant[]): Decision {
  const flags = each.map(({ isOpen }) => (isOpen ? undefined : wholeHost));
  const isNowhere = flags.every((one) => one === undefined);
  return { refused: { detail, grant: "host", ...lacking(isNowhere ? [wholeHost] : flags) } };
}

function decideWord(ask: Ask, each: readonly HostGrant[]): Decision {
  // Without a word of its own, only those may ask who may ask for everything.
  if (ask.word === undefined) return never(ask.detail, each);
  const flags = each.map((grant) => flagsFor(ask, grant));
  if (flags.every((one) => one === undefined)) {
    const words = new Set(each.flatMap((grant) => grant.granting(ask)));
    return { by: [...words].map((word) => (word === "host" ? "host" : `host=${word}`)) };
  }
  return { refused: { detail: ask.detail, grant: "host", ...lacking(flags) } };
}

/** What one layer lacks for a word; undefined if it permits it. */
function flagsFor(ask: Ask, grant: HostGrant): Flags | undefined {
  const denied = grant.denying(ask);
  const isGranted = grant.granting(ask).length > 0;
  if (isGranted && denied.length === 0) return undefined;
  return {
    ...(isGranted ? {} : { add: hostFlag(ask) }),
    ...(denied.length > 0
      ? { without: denied.map((word) => (word === "host" ? "--deny-host" : `--deny-host=${word}`)) }
      : {}),
  };
}

function decideImage({ detail }: Ask, reference: string, caller: Caller): Decision {
  const isId = imageIdDigits(reference.replace(/^docker\.io\/library\/|:latest$/g, "")) !== undefined;
  const add = isId ? "--allow-pull" : `--allow-pull=${repositoryOf(reference)}`;
  const flags = layersOf(caller).map((grants) => {
    const layer: Caller = { name: caller.name, grants };
    const isAllowed = isId
      ? canUse("pull", layer) && !arePullsNarrowed(layer)
      : canUse("pull", layer, reference);
    return isAllowed ? undefined : { add };
  });
  if (flags.every((one) => one === undefined)) return { by: ["pull"] };
  return { refused: { detail, grant: "pull", ...lacking(flags) } };
}
