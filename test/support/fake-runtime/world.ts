import type { ContainerdEventHub } from "./containerd-events.ts";
import type { EventHub } from "./events.ts";
import type { GrpcFault } from "./fault.ts";
import type { Manner, StreamKind } from "./manner.ts";
import type { RpcName } from "./rpc-names.ts";
import { type FakeContainer, type FakePod, findById, type State } from "./state.ts";

/** Everything that the handlers work on. */
export interface World {
  readonly manner: Manner;
  readonly state: State;
  readonly events: EventHub;
  /** containerd's own events, which no other runtime serves. */
  readonly containerdEvents: ContainerdEventHub;
  /** The URL for the responses of Exec, Attach and PortForward. */
  streamUrl(stream: StreamRequest): string | Promise<string>;
  /** Aborts when the fake closes, so that nothing simulated outlives it. */
  readonly closed: AbortSignal;
}

/** A session that a client requested, with the token that opens it. */
export interface StreamRequest {
  readonly kind: StreamKind;
  /** 8 characters, valid once. */
  readonly token: string;
  /** The container's id; for port-forward, the pod's. */
  readonly id: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly ports: readonly number[];
}

export interface CallContext {
  readonly rpc: RpcName;
  /** The client's deadline; `undefined` if it has none. */
  readonly deadline: Date | undefined;
  /** Aborts when the client gives up: cancelled, timed out or disconnected. */
  readonly signal: AbortSignal;
}

/** Serves one RPC. For streams it returns an async iterable. */
export type Handler<Request> = (
  world: World,
  request: Request,
  call: CallContext,
) => object | Promise<object> | AsyncIterable<object>;

/** Throws the fault, if any. */
export function refuse(fault: GrpcFault | undefined): void {
  if (fault !== undefined) throw fault;
}

/**
 * The pod for an id or a prefix; `undefined` if the runtime responds that there was nothing to do.
 *
 * @throws {GrpcFault} in the runtime's words.
 */
export function lookUpPod(world: World, rpc: RpcName, id: string | undefined): FakePod | undefined {
  return lookUp(world, rpc, world.state.pods, id ?? "");
}

/** Like `lookUpPod`, for containers. */
export function lookUpContainer(
  world: World,
  rpc: RpcName,
  id: string | undefined,
): FakeContainer | undefined {
  return lookUp(world, rpc, world.state.containers, id ?? "");
}

function lookUp<Entry extends object>(
  { manner }: World,
  rpc: RpcName,
  entries: ReadonlyMap<string, Entry>,
  id: string,
): Entry | undefined {
  if (id === "") throw manner.refuse.empty(rpc);
  const found = findById(entries, id);
  if (found === "ambiguous") throw manner.refuse.ambiguous(rpc, id);
  if (found !== "absent") return found;
  refuse(manner.refuse.absent(rpc, id));
  return undefined;
}

/** Like `lookUpPod`, for RPCs that never ignore a missing pod. */
export function requirePod(world: World, rpc: RpcName, id: string | undefined): FakePod {
  const pod = lookUpPod(world, rpc, id);
  if (pod === undefined) throw new Error(`Cannot go on with ${rpc}: no refusal for an absent pod`);
  return pod;
}

export function requireContainer(world: World, rpc: RpcName, id: string | undefined): FakeContainer {
  const container = lookUpContainer(world, rpc, id);
  if (container === undefined)
    throw new Error(`Cannot go on with ${rpc}: no refusal for an absent container`);
  return container;
}

/** Sorts entries as the runtime's lists do. containerd's order differs from call to call. */
export function inListOrder<Entry>(world: World, entries: readonly Entry[]): Entry[] {
  switch (world.manner.habits.listOrder) {
    case "oldest first":
      return [...entries];
    case "newest first":
      return [...entries].reverse();
    case "random":
      return shuffle(entries);
  }
}

function shuffle<Entry>(entries: readonly Entry[]): Entry[] {
  return entries
    .map((entry) => ({ entry, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ entry }) => entry);
}
