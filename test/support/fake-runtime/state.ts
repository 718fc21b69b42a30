/**
 * The state of the fake runtime: pods, containers and images, including those that tests add.
 *
 * It survives a crash and a restart of the fake, as the pods of a real daemon do.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Change } from "./changes.ts";
import type { ContainerConfig, LinuxContainerResources, PodSandboxConfig } from "./messages.ts";
import type { RegistryFault } from "./registry-faults.ts";

export type PodState = "SANDBOX_READY" | "SANDBOX_NOTREADY";
export type ContainerState =
  | "CONTAINER_CREATED"
  | "CONTAINER_RUNNING"
  | "CONTAINER_EXITED"
  | "CONTAINER_UNKNOWN";

/** How the first process of a container reacts to SIGTERM: exits with this code, or ignores it. */
export type OnTerm = number | "ignore";

export interface FakePod {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  /** A unique name. A second RunPodSandbox with this name is rejected, or returns this pod. */
  readonly reservedName: string;
  readonly createdAtNanos: bigint;
  state: PodState;
  ip: string;
  /** Set up by CNI, which must tear it down before the pod is removed. */
  hasNetwork: boolean;
  /** Docker only: its name cannot be parsed back, so its status fails and its list item has only the basics. */
  readonly unreadable: boolean;
}

export interface FakeContainer {
  readonly id: string;
  readonly podId: string;
  readonly config: ContainerConfig;
  /** From `images` at creation. The image may have been removed since. */
  readonly image: FakeImage;
  readonly reservedName: string;
  readonly createdAtNanos: bigint;
  readonly logPath: string;
  state: ContainerState;
  /** 0 before it starts. */
  startedAtNanos: bigint;
  /** 0 before it finishes. */
  finishedAtNanos: bigint;
  exitCode: number;
  reason: string;
  message: string;
  onTerm: OnTerm;
  pid: number;
  /** Set by UpdateContainerResources. */
  updatedResources: LinuxContainerResources | undefined;
  /** Ends the simulated first process. Set while it runs. */
  process: AbortController | undefined;
  /** Set by a test: a pending change that `state` does not show. */
  change: Change | undefined;
  /** A pending stop, which further stops wait for. */
  stopping: Promise<void> | undefined;
  /** How often its statistics were read. The CPU rate is unknown at first. */
  statsReads: number;
}

export interface FakeImage {
  /** 64 hexadecimal digits. How they are written depends on the runtime. */
  readonly digits: string;
  repoTags: string[];
  repoDigests: string[];
  readonly sizeBytes: number;
  /** Numeric id or name; empty for none. */
  readonly user: string;
  readonly pinned: boolean;
  readonly importedByDigest: boolean;
  /** Runs if the container has no command. */
  readonly entrypoint: readonly string[];
}

/** An image that a simulated registry offers under its full name. */
export interface RemoteImage {
  readonly image: FakeImage;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** The reason why every pull fails. */
  readonly fault?: RegistryFault | undefined;
  /** Pulls last until it settles. */
  readonly arrival?: Promise<void> | undefined;
}

export interface State {
  /** Names of the pods and containers that are being created. */
  readonly making: Set<string>;
  /** Whether configs are checked against the limits of the node. */
  isNodeLimited: boolean;
  /** Why the CNI plugins fail on add and delete; undefined if they work. */
  networkFailure: string | undefined;
  /** TCP ports of the node on which a process listens that belongs to no pod. */
  readonly listening: Set<number>;
  readonly pods: Map<string, FakePod>;
  readonly containers: Map<string, FakeContainer>;
  /** By digits. */
  readonly images: Map<string, FakeImage>;
  readonly remoteImages: Map<string, RemoteImage>;
  /** The pulls that others join, by reference and credentials. */
  readonly pulls: Map<string, Promise<void>>;
}

export function createState(): State {
  return {
    making: new Set(),
    isNodeLimited: false,
    networkFailure: undefined,
    listening: new Set(),
    pods: new Map(),
    containers: new Map(),
    images: new Map(),
    remoteImages: new Map(),
    pulls: new Map(),
  };
}

export function newId(): string {
  return randomBytes(32).toString("hex");
}

/** 64 digits derived from a text, so that images keep their ids between runs. */
export function digitsOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

let lastNanos = 0n;

/** Nanoseconds since 1970. Every call returns a different value. */
export function nowNanos(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
  lastNanos = now > lastNanos ? now : lastNanos + 1n;
  return lastNanos;
}

/** The only entry whose id is or begins with `id`. */
export function findById<Entry extends object>(
  entries: ReadonlyMap<string, Entry>,
  id: string,
): Entry | "absent" | "ambiguous" {
  const exact = entries.get(id);
  if (exact !== undefined) return exact;
  const found: Entry[] = [];
  for (const [key, entry] of entries) {
    if (key.startsWith(id)) found.push(entry);
  }
  const [first] = found;
  if (first === undefined) return "absent";
  return found.length > 1 ? "ambiguous" : first;
}

/**
 * Like `findById`, for tests.
 *
 * @throws {Error} if there is none, or more than one.
 */
export function requireById<Entry extends object>(entries: ReadonlyMap<string, Entry>, id: string): Entry {
  const entry = findById(entries, id);
  if (typeof entry === "string") throw new Error(`Cannot use the id ${id}: it is ${entry}`);
  return entry;
}

export function containersOf(state: State, pod: FakePod): FakeContainer[] {
  return [...state.containers.values()].filter((container) => container.podId === pod.id);
}
