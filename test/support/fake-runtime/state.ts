/**
 * What the fake runtime holds: pods, containers and images, and what tests may put there.
 *
 * The state survives a crash and a restart of the fake, as pods survive those of a real daemon.
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

/** What the first process of a container does with SIGTERM: ends with this exit code, or ignores it. */
export type OnTerm = number | "ignore";

export interface FakePod {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly runtimeHandler: string;
  /** What names it uniquely; a second RunPodSandbox with the same is refused, or answered with this pod. */
  readonly reservedName: string;
  readonly createdAtNanos: bigint;
  state: PodState;
  ip: string;
  /** What CNI set up, and has to tear down before the pod goes. */
  hasNetwork: boolean;
  /** Docker only: its name cannot be read back, so that its status fails and its list item is bare. */
  readonly unreadable: boolean;
}

export interface FakeContainer {
  readonly id: string;
  readonly podId: string;
  readonly config: ContainerConfig;
  /** Of `images` when it was created; an image may be gone since. */
  readonly image: FakeImage;
  readonly reservedName: string;
  readonly createdAtNanos: bigint;
  readonly logPath: string;
  state: ContainerState;
  /** 0 before. */
  startedAtNanos: bigint;
  /** 0 before. */
  finishedAtNanos: bigint;
  exitCode: number;
  reason: string;
  message: string;
  onTerm: OnTerm;
  pid: number;
  /** Set by UpdateContainerResources. */
  updatedResources: LinuxContainerResources | undefined;
  /** Ends the simulated first process; set while it runs. */
  process: AbortController | undefined;
  /** Set by a test: what is being done to it, which `state` does not show. */
  change: Change | undefined;
  /** A stop under way, which others wait for. */
  stopping: Promise<void> | undefined;
  /** How often its statistics were asked for: the CPU rate is unknown at first. */
  statsReads: number;
}

export interface FakeImage {
  /** 64 hexadecimal digits; how a runtime writes it is its manner. */
  readonly digits: string;
  repoTags: string[];
  repoDigests: string[];
  readonly sizeBytes: number;
  /** Numeric or by name; empty for none. */
  readonly user: string;
  readonly pinned: boolean;
  readonly importedByDigest: boolean;
  /** What runs without a command in the container. */
  readonly entrypoint: readonly string[];
}

/** What a registry of the fake world offers, by its full name. */
export interface RemoteImage {
  readonly image: FakeImage;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** How every pull fails. */
  readonly fault?: RegistryFault | undefined;
}

export interface State {
  /** Names of the pods and containers that are being made. */
  readonly making: Set<string>;
  /** Whether configs are held against what the node has. */
  isNodeLimited: boolean;
  /** CNI's plug-ins fail, at setting up and at tearing down: the text says why. */
  networkFailure: string | undefined;
  /** TCP ports of the node on which a process listens that belongs to no pod. */
  readonly listening: Set<number>;
  readonly pods: Map<string, FakePod>;
  readonly containers: Map<string, FakeContainer>;
  /** By digits. */
  readonly images: Map<string, FakeImage>;
  readonly remoteImages: Map<string, RemoteImage>;
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
  };
}

export function newId(): string {
  return randomBytes(32).toString("hex");
}

/** 64 digits that follow from a text: images keep their ids from run to run. */
export function digitsOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

let lastNanos = 0n;

/** Nanoseconds since 1970; never the same twice. */
export function nowNanos(): bigint {
  const now = BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n);
  lastNanos = now > lastNanos ? now : lastNanos + 1n;
  return lastNanos;
}

/** The one entry whose id is this or begins with it. */
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
 * As `findById`, for tests.
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
