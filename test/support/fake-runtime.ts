/**
 * A CRI runtime for tests: real gRPC on a Unix socket, backed by a small in-memory runtime whose responses imitate one
 * of five real runtimes.
 */
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import type { RecordedCall, RecordedCrash } from "./fake-runtime/calls.ts";
import { listStream, listStreamPath } from "./fake-runtime/containerd-api.ts";
import {
  type ContainerdEventHub,
  containerRecord,
  createContainerdEventHub,
} from "./fake-runtime/containerd-events.ts";
import {
  type ContainerdAnswer,
  type ContainerdRpc,
  serveContainerd,
} from "./fake-runtime/containerd-services.ts";
import { dispatch, dispatchBytes, performAlone } from "./fake-runtime/dispatch.ts";
import { createEventHub } from "./fake-runtime/events.ts";
import { createGrpcServer, type Exchange } from "./fake-runtime/grpc-server.ts";
import { addUsualImages, type ImageInit, makeImage, offer, storeImage } from "./fake-runtime/image-store.ts";
import type { Manner, MannerName } from "./fake-runtime/manner.ts";
import { mannerOf } from "./fake-runtime/manners/all.ts";
import { type Answer, createOverrides } from "./fake-runtime/overrides.ts";
import { type ContainerInit, initContainer, initPod, type PodInit } from "./fake-runtime/population.ts";
import { exitProcess } from "./fake-runtime/processes.ts";
import type { RegistryFault } from "./fake-runtime/registry-faults.ts";
import type { RpcName } from "./fake-runtime/rpc-names.ts";
import { criSchema } from "./fake-runtime/schema.ts";
import {
  createState,
  type FakeContainer,
  type FakeImage,
  type FakePod,
  requireById,
} from "./fake-runtime/state.ts";
import type { StreamRequest, World } from "./fake-runtime/world.ts";

export type { RecordedCall, RecordedCrash } from "./fake-runtime/calls.ts";
export type { ContainerdAnswer, ContainerdRpc } from "./fake-runtime/containerd-services.ts";
export { GrpcFault } from "./fake-runtime/fault.ts";
export type { ImageInit } from "./fake-runtime/image-store.ts";
export { type MannerName, mannerNames } from "./fake-runtime/manner.ts";
export {
  type Answer,
  type Answerer,
  type FakeCall,
  failing,
  hanging,
  held,
  type Reply,
  sized,
} from "./fake-runtime/overrides.ts";
export type { ContainerInit, PodInit } from "./fake-runtime/population.ts";
export { type RegistryFault, registryFaults } from "./fake-runtime/registry-faults.ts";
export { type RpcName, rpcNames } from "./fake-runtime/rpc-names.ts";
export type { FakeContainer, FakeImage, FakePod } from "./fake-runtime/state.ts";
export type { StreamRequest } from "./fake-runtime/world.ts";

export interface FakeRuntimeOptions {
  readonly manner: MannerName;
  /** The path to listen on. Default: in a fresh temporary folder. */
  readonly socket?: string;
  /** How long a crash or restart keeps it down. Default: 100 ms (real daemons need about 2 s). */
  readonly recoveryMs?: number;
  /** Initial value of the property. */
  readonly streamUrl?: StreamUrl;
}

/**
 * Where Exec, Attach and PortForward send their client: the port of a streaming server, for a URL in the runtime's own
 * format, or a whole URL.
 */
export type StreamUrl = (stream: StreamRequest) => string | number | Promise<string | number>;

export interface FakeRuntime {
  readonly manner: MannerName;
  /** Path of the Unix socket. */
  readonly socket: string;
  /** All calls so far, in order of arrival. Tests may clear it (`calls.length = 0`). */
  readonly calls: RecordedCall[];
  readonly crashes: readonly RecordedCrash[];
  readonly pods: ReadonlyMap<string, FakePod>;
  readonly containers: ReadonlyMap<string, FakeContainer>;
  /** By the 64 digits of the id. */
  readonly images: ReadonlyMap<string, FakeImage>;
  /** May be replaced. `undefined` gives URLs on which nothing listens. */
  streamUrl: StreamUrl | undefined;

  /** The recorded calls of one RPC. */
  callsOf(rpc: RpcName): RecordedCall[];
  /**
   * Overrides the response of an RPC. The newest override wins.
   *
   * @param options.once Applies to the next call only.
   * @returns A function that removes the override.
   */
  on(rpc: RpcName, answer: Answer, options?: { once?: boolean }): () => void;
  /** Serves another service on the same socket, as bytes: `/containerd.services.content.v1.Content/ListStatuses`. */
  serve(
    path: string,
    answer: (request: Buffer, exchange: Exchange) => Uint8Array | Promise<Uint8Array>,
  ): void;
  /**
   * Serves a method of containerd's own API in the namespace of CRI, in place of an earlier answer; other runtimes than
   * containerd may have it too. Requests and replies are proto JSON.
   */
  serveContainerd<R extends ContainerdRpc>(rpc: R, answer: ContainerdAnswer): void;
  /**
   * Performs an RPC as if another client had called it: it sends events, but is not recorded.
   *
   * @returns The response in proto JSON; the first message of a stream.
   * @throws {GrpcFault} with the error of the runtime.
   */
  perform(rpc: RpcName, request?: object): Promise<JsonObject>;

  addPod(pod?: PodInit): FakePod;
  addContainer(container?: ContainerInit): FakeContainer;
  addImage(image: ImageInit): FakeImage;
  /** Offers an image for PullImage: to everyone or only with credentials, failing every pull, or with pulls that last. */
  addRemoteImage(
    image: ImageInit & {
      readonly credentials?: { username: string; password: string };
      readonly fault?: RegistryFault;
      readonly arrival?: Promise<void>;
    },
  ): void;
  /** Makes the CNI plugins fail on add and delete with this reason; `undefined` repairs them. */
  breakNetwork(reason: string | undefined): void;
  /** Makes a process of the node listen on a TCP port, on all addresses. */
  listenOnNode(port: number): void;
  /** From now on rejects configs that ask for more than a small node has: see `fake-runtime/mistakes.ts`. */
  limitNode(): void;
  /** Ends the first process of a container as if it exited on its own, with the event. */
  exitContainer(id: string, exitCode: number, options?: { reason?: "OOMKilled" }): Promise<void>;
  /** Sends an arbitrary event, as proto JSON of ContainerEventResponse. Does nothing if the runtime has no events. */
  emitEvent(event: object): Promise<void>;

  /** containerd's own events: sends any, and counts the readers. */
  readonly containerdEvents: Pick<ContainerdEventHub, "publish" | "subscribers">;

  /** Listens again after `stop()`. */
  start(): Promise<void>;
  /** Goes down: drops connections and refuses new ones. Keeps the state. */
  stop(): Promise<void>;
  /** Goes down like a daemon that restarts, and returns after `recoveryMs`. */
  restart(): Promise<void>;
  /** Settles once it listens. */
  up(): Promise<void>;
  /** Stops for good: ends all simulated processes and removes the socket. */
  close(): Promise<void>;
}

/** Starts a fake runtime. It listens when the promise settles. */
export async function createFakeRuntime(options: FakeRuntimeOptions): Promise<FakeRuntime> {
  const { recoveryMs = 100 } = options;
  const manner = mannerOf(options.manner);
  const folder = options.socket === undefined ? await mkdtemp(join(tmpdir(), "crest-fake-")) : undefined;
  const socket = options.socket ?? join(folder ?? "", "cri.sock");
  const closing = new AbortController();
  const calls: RecordedCall[] = [];
  const crashes: RecordedCrash[] = [];
  const overrides = createOverrides();
  const server = createGrpcServer(socket);
  const world = createWorld(manner, closing.signal, (stream) => streamUrlOf(stream));
  const { state } = world;
  addUsualImages(state);
  let streamPort = 0;
  let coming: Promise<void> = Promise.resolve();

  async function streamUrlOf(stream: StreamRequest): Promise<string> {
    const own = await runtime.streamUrl?.(stream);
    if (typeof own === "string") return own;
    return manner.habits.streamUrl(stream.kind, stream.token, own ?? streamPort);
  }

  async function listen(): Promise<void> {
    // A streaming server gets a new port each time its daemon starts.
    streamPort = randomInt(32_768, 60_999);
    if (!closing.signal.aborted) await server.listen();
  }

  /** Runs steps in sequence: a start waits for the preceding stop. */
  function then(step: () => Promise<void>): Promise<void> {
    coming = coming.catch(() => undefined).then(step);
    return coming;
  }

  async function recover(): Promise<void> {
    await server.drop();
    await delay(recoveryMs, undefined, { signal: closing.signal }).catch(() => undefined);
    await listen();
  }

  const fake = {
    ...{ world, overrides, calls },
    crash(crash: RecordedCrash) {
      crashes.push(crash);
      void then(recover);
    },
  };
  for (const method of criSchema().methods.values()) {
    server.serve(method.path, method.streaming ? "stream" : "unary", (exchange) => {
      void dispatch(fake, method, exchange);
    });
  }

  if (manner.family === "containerd") {
    server.serve(listStreamPath, "stream", (exchange) => void listStream(world, exchange));
    serveContainerd(server, "Events/Subscribe", world.containerdEvents.subscribe);
    serveContainerd(server, "Containers/Get", containerRecord(state));
  }

  const runtime: FakeRuntime = {
    manner: options.manner,
    ...{ socket, calls, crashes },
    pods: state.pods,
    containers: state.containers,
    images: state.images,
    streamUrl: options.streamUrl,
    callsOf: (rpc) => calls.filter((call) => call.rpc === rpc),
    on: (rpc, answer, { once = false } = {}) => overrides.add(rpc, answer, { once }),
    serve: (path, answer) => server.serve(path, "unary", (exchange) => void dispatchBytes(answer, exchange)),
    serveContainerd: (rpc, answer) => serveContainerd(server, rpc, answer),
    perform: (rpc, request = {}) => performAlone(world, rpc, request, closing.signal),
    addPod: (pod = {}) => initPod(world, pod),
    addContainer: (container = {}) => initContainer(world, container),
    addImage: (image) => storeImage(state, makeImage(image)),
    addRemoteImage: ({ credentials, fault, arrival, ...image }) =>
      void offer(state, image, credentials, { fault, arrival }),
    breakNetwork(reason) {
      state.networkFailure = reason;
    },
    listenOnNode: (port) => void state.listening.add(port),
    limitNode() {
      state.isNodeLimited = true;
    },
    exitContainer: (id, exitCode, { reason } = {}) =>
      exitProcess(world, requireById(state.containers, id), exitCode, reason),
    containerdEvents: world.containerdEvents,
    emitEvent: (event) => world.events.publish(event),
    start: () => then(listen),
    stop: () => then(server.drop),
    async restart() {
      if (manner.habits.restartEndsEvents) {
        world.events.endStreams();
        // Let the end of the streams reach clients before the connections drop.
        await delay(10);
      }
      await then(recover);
    },
    up: () => coming,
    async close() {
      closing.abort();
      await then(server.drop);
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    },
  };
  await then(listen);
  return runtime;
}

function createWorld(manner: Manner, closed: AbortSignal, streamUrl: World["streamUrl"]): World {
  return {
    manner,
    state: createState(),
    events: createEventHub(manner.habits.events),
    containerdEvents: createContainerdEventHub(),
    streamUrl,
    closed,
  };
}
