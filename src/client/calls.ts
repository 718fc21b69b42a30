/**
 * What the generated operations are made of: one way to call for each kind of operation. What sessions need is loaded when one
 * opens: most programs have none.
 */
import type { ChannelHandlers } from "./channel-socket.ts";
import type { CommandSession, OpenCommand } from "./command-session.ts";
import { CrestError } from "./crest-error.ts";
import type {
  ContainerStatusReply,
  EventItem,
  EventList,
  ListSessionsAnswer,
  LogItem,
  LogPage,
  PullImageItem,
  PullImageReply,
  WaitContainerAnswer,
} from "./gen/types.ts";
import { type Items, iterate, type StreamOptions } from "./items.ts";
import type { KeepOptions, Opening } from "./kept-channels.ts";
import { type AnyPage, createList, type List, type Paging } from "./list.ts";
import type { PortSession } from "./port-session.ts";
import { type Resume, resumeEvents, resumeLogs, resumePull, resumeUsage, resumeWait } from "./resume.ts";
import { type Call, type CallOptions, type CreateOptions, jsonOf, type Server, segment } from "./server.ts";

/** What a session takes. Browsers cannot set headers for a WebSocket. */
export type SessionOptions = Pick<CallOptions, "signal">;

/** The same for a command. All but `signal` is for those with `session: "keep"`. */
export interface CommandSessionOptions extends SessionOptions, KeepOptions {}

export interface Calls {
  /** An answer of JSON. */
  json<T>(call: Call, options?: CreateOptions): Promise<T>;
  /** No answer but success. */
  nothing(call: Call, options?: CallOptions): Promise<void>;
  list<Item, Page extends AnyPage>(
    call: Call,
    itemsOf: (page: Page) => readonly Item[],
    options?: CallOptions,
  ): List<Item, Page>;
  logs(call: Call, options?: StreamOptions): Items<LogItem, LogPage>;
  events(call: Call, options?: StreamOptions): Items<EventItem, EventList>;
  usage<Item>(call: Call, options?: StreamOptions): Items<Item, Item>;
  wait(call: Call, options?: StreamOptions): Items<WaitContainerAnswer, WaitContainerAnswer>;
  pull(call: Call, options?: StreamOptions): Items<PullImageItem, PullImageReply>;
  exec(call: Call, containerId: string, options?: CommandSessionOptions): Promise<CommandSession>;
  attach(call: Call, containerId: string, options?: CommandSessionOptions): Promise<CommandSession>;
  resume(call: Call, sessionId: string, options?: CommandSessionOptions): Promise<CommandSession>;
  forward(
    call: Call,
    podSandboxId: string,
    ports: readonly number[],
    options?: SessionOptions,
  ): Promise<PortSession>;
}

/** Seconds to wait for the exit of a container whose output has ended. */
const exitSeconds = 10;

export function createCalls(server: Server): Calls {
  const json = async <T>(call: Call, options: CreateOptions = {}): Promise<T> =>
    jsonOf<T>(await server.send(call, options), options.signal);

  /** Items, and one answer by `answer`. */
  const items = <Item, Answer>(
    call: Call,
    resume: Resume<Item>,
    options: StreamOptions,
    answer: (all: Items<Item, Answer>) => Promise<Answer>,
  ): Items<Item, Answer> => {
    const all: Items<Item, Answer> = {
      answer: () => answer(all),
      [Symbol.asyncIterator]: () => iterate(server, call, resume, options),
    };
    return all;
  };

  async function waited(containerId: string, signal: AbortSignal | undefined): Promise<number> {
    const path = `/v1/containers/${segment("containerId", containerId)}/wait`;
    const call = { method: "GET", path, query: { timeout: exitSeconds } };
    const { exitCode } = await json<WaitContainerAnswer>(call, { signal });
    if (exitCode !== undefined) return exitCode;
    throw new CrestError("session_failed", "The container is still running, so it has no exit code yet");
  }

  return {
    json,
    async nothing(call, options) {
      const response = await server.send(call, options);
      await response.text().catch(() => "");
    },
    list: (call, itemsOf, options) => {
      const paging: Paging = call.query;
      return createList(
        paging,
        (query) => json({ ...call, query: { ...call.query, ...query } }, options),
        itemsOf,
      );
    },
    logs: (call, options = {}) => items(call, resumeLogs, options, () => json(call, options)),
    events: (call, options = {}) => items(call, resumeEvents, options, () => json(call, options)),
    usage: <Item>(call: Call, options: StreamOptions = {}) =>
      items<Item, Item>(call, resumeUsage, options, () => json(call, options)),
    wait: (call, options = {}) => items(call, resumeWait, options, lastOf),
    pull: (call, options = {}) =>
      items<PullImageItem, PullImageReply>(call, resumePull, options, async (all) => {
        const { result } = await lastOf(all);
        if (result !== undefined) return result;
        throw new CrestError("invalid_answer", "The pull ended without a result");
      }),
    exec: (call, containerId, options = {}) =>
      command(call, options, { whyNot: (place) => whyNoContainer(containerId, place) }),
    attach: (call, containerId, options = {}) =>
      command(call, options, {
        whyNot: (place) => whyNoContainer(containerId, place),
        exitCode: () => waited(containerId, options.signal),
      }),
    async resume(call, sessionId, options = {}) {
      const { openCommand } = await import("./command-session.ts");
      return openCommand((handlers) => kept(call, options, { sessionId, handlers }));
    },
    forward: (call, podSandboxId, ports, options = {}) =>
      opened(call, options, async (place) => {
        const { openPorts } = await import("./port-session.ts");
        return openPorts({
          ...place,
          ports,
          whyNot: whyNot(place, `/v1/pods/${segment("podSandboxId", podSandboxId)}`),
        });
      }),
  };

  interface CommandParts {
    readonly whyNot: (place: Place) => () => Promise<CrestError>;
    readonly exitCode?: () => Promise<number>;
  }

  /** Runs a command, or attaches to one. */
  async function command(
    call: Call,
    options: CommandSessionOptions,
    { whyNot: whyNoCommand, exitCode }: CommandParts,
  ): Promise<CommandSession> {
    const { session, stdin }: { readonly session?: string; readonly stdin?: boolean } = call.query;
    const [{ openChannels }, { openCommand }] = await Promise.all([
      import("./channel-socket.ts"),
      import("./command-session.ts"),
    ]);
    return openCommand(async (handlers) => {
      if (session === "keep") return kept(call, options, { whyNot: whyNoCommand, handlers });
      const socket = await opened(call, options, (place) =>
        openChannels({ ...place, subprotocol: "v5.channel.k8s.io", handlers, whyNot: whyNoCommand(place) }),
      );
      return { socket, exitCode, hasInput: stdin === true };
    });
  }

  interface KeptParts {
    readonly handlers: ChannelHandlers;
    /** Default: the session is there already. */
    readonly whyNot?: CommandParts["whyNot"];
    /** Absent for a new session. */
    readonly sessionId?: string;
  }

  /** Opens a session that outlives its connections, or goes on with one. */
  async function kept(
    call: Call,
    options: CommandSessionOptions,
    { handlers, whyNot: whyNoCommand, sessionId = "" }: KeptParts,
  ): Promise<OpenCommand> {
    const { from = 0 }: { readonly from?: number } = sessionId === "" ? {} : call.query;
    const opening = (own: Call, why: (place: Place) => () => Promise<CrestError>): Promise<Opening> =>
      opened(own, { signal: options.signal }, async (place) => ({ ...place, whyNot: why(place) }));
    const again = (id: string, position: number): Promise<Opening> =>
      opening(
        {
          method: "GET",
          path: `/v1/sessions/${segment("sessionId", id)}/connect`,
          query: { from: position },
        },
        (place) => whyNoSession(id, place),
      );
    const { openKept } = await import("./kept-channels.ts");
    const socket = await openKept({
      ...options,
      signal: options.signal,
      handlers,
      from,
      first: await (whyNoCommand === undefined ? again(sessionId, from) : opening(call, whyNoCommand)),
      next: again,
      end: (id) =>
        void server
          .send({ method: "DELETE", path: `/v1/sessions/${segment("sessionId", id)}`, query: {} })
          .then((response) => response.text())
          .catch(() => undefined),
    });
    const { type, containerId, stdin } = socket.facts;
    return {
      ...{ socket, kept: socket, hasInput: stdin },
      exitCode: type === "attach" ? () => waited(containerId, options.signal) : undefined,
    };
  }

  function whyNoSession(sessionId: string, place: Place): () => Promise<CrestError> {
    return whyNot<ListSessionsAnswer>(place, "/v1/sessions", ({ sessions }) =>
      sessions.some(({ id }) => id === sessionId)
        ? undefined
        : new CrestError("not_found", `Session "${sessionId}" has ended, or is not this caller's`),
    );
  }

  /** What every session needs to open. */
  async function opened<T>(
    call: Call,
    { signal }: SessionOptions,
    open: (place: Place) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const token = await server.token();
    return open({ call, signal, token, url: server.urlOf(call), WebSocket: server.WebSocket });
  }

  function whyNoContainer(containerId: string, place: Place): () => Promise<CrestError> {
    const path = `/v1/containers/${segment("containerId", containerId)}`;
    return whyNot<ContainerStatusReply>(place, path, ({ status: { state } }) =>
      state === "CONTAINER_RUNNING"
        ? undefined
        : new CrestError("not_running", `Container "${containerId}" is not running but ${state}`),
    );
  }

  /**
   * Finds out why a session did not open, where the platform does not say: asks the same address without an upgrade, which
   * checks the token and the grant, and then for the subject of the session.
   */
  function whyNot<Subject>(
    { call, signal }: Place,
    path: string,
    check: (subject: Subject) => CrestError | undefined = () => undefined,
  ): () => Promise<CrestError> {
    const failureOf = async <T>(asked: Promise<T>, use: (answer: T) => CrestError | undefined) =>
      asked.then(use, (error: unknown) => {
        if (error instanceof CrestError) return error;
        throw error;
      });
    return async () => {
      const same = await failureOf(server.send(call, { signal }), () => undefined);
      if (same !== undefined && same.code !== "upgrade_required") return same;
      const subject = { method: "GET", path, query: {} };
      const failure = await failureOf(json<Subject>(subject, { signal }), check);
      // Whether the caller may read the subject is another question.
      if (failure !== undefined && failure.code !== "not_capable") return failure;
      return new CrestError(
        "session_refused",
        "The session did not open. This platform does not show why; the gateway's request log does",
      );
    };
  }
}

interface Place {
  readonly call: Call;
  readonly url: URL;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly WebSocket: Server["WebSocket"];
}

async function lastOf<Item>(items: AsyncIterable<Item>): Promise<Item> {
  let last: Item | undefined;
  for await (const item of items) last = item;
  if (last !== undefined) return last;
  throw new CrestError("invalid_answer", "The stream ended without an item");
}
