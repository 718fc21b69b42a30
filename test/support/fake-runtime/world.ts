import type { EventHub } from "./events.ts";
import type { GrpcFault } from "./fault.ts";
import type { Manner, StreamKind } from "./manner.ts";
import type { RpcName } from "./rpc-names.ts";
import { type FakeContainer, type FakePod, findById, type State } from "./state.ts";

/** All that the handlers work on. */
export interface World {
  readonly manner: Manner;
  readonly state: State;
  readonly events: EventHub;
  /** The URL that Exec, Attach and PortForward answer with. */
  streamUrl(stream: StreamRequest): string | Promise<string>;
  /** Aborts when the fake closes: nothing simulated outlives it. */
  readonly closed: AbortSignal;
}

/** A session that a client asked for, and the token that will open it. */
export interface StreamRequest {
  readonly kind: StreamKind;
  /** One use, 8 characters. */
  readonly token: string;
  /** Of the container; of the pod for port-forward. */
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
  /** When the client gives up; `undefined` for never. */
  readonly deadline: Date | undefined;
  /** Aborts when the client gives the call up: cancelled, out of time or gone. */
  readonly signal: AbortSignal;
}

/** Serves one RPC; streams give an async iterable. */
export type Handler<Request> = (
  world: World,
  request: Request,
  call: CallContext,
) => object | Promise<object> | AsyncIterable<object>;

/** Throws the refusal, if it is one. */
export function refuse(fault: GrpcFault | undefined): void {
  if (fault !== undefined) throw fault;
}

/**
 * The pod that an id or its prefix means; `undefined` where the runtime answers that nothing needed doing.
 *
 * @throws {GrpcFault} as the runtime words it.
 */
export function lookUpPod(world: World, rpc: RpcName, id: string | undefined): FakePod | undefined {
  return lookUp(world, rpc, world.state.pods, id ?? "");
}

/** As `lookUpPod`, for containers. */
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

/** As `lookUpPod`, where the runtime never passes over an absent one. */
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

/** In the order of the runtime's lists; containerd's differs from call to call. */
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
