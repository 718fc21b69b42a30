/** What the generated operations are made of: one way to call for each kind of operation. */
import { type CommandSession, openCommand } from "./command-session.ts";
import { CrestError } from "./crest-error.ts";
import type {
  ContainerStatusReply,
  EventItem,
  EventList,
  LogItem,
  LogPage,
  PullImageItem,
  PullImageReply,
  WaitContainerAnswer,
} from "./gen/types.ts";
import { type Items, iterate, type StreamOptions } from "./items.ts";
import { type AnyPage, createList, type List, type Paging } from "./list.ts";
import { openPorts, type PortSession } from "./port-session.ts";
import { type Resume, resumeEvents, resumeLogs, resumePull, resumeUsage, resumeWait } from "./resume.ts";
import { type Call, type CallOptions, type CreateOptions, jsonOf, type Server, segment } from "./server.ts";

/** What a session takes. Browsers cannot set headers for a WebSocket. */
export type SessionOptions = Pick<CallOptions, "signal">;

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
  exec(call: Call, containerId: string, options?: SessionOptions): Promise<CommandSession>;
  attach(call: Call, containerId: string, options?: SessionOptions): Promise<CommandSession>;
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
      opened(call, options, (place) => openCommand({ ...place, whyNot: whyNoContainer(containerId, place) })),
    attach: (call, containerId, options = {}) =>
      opened(call, options, (place) =>
        openCommand({
          ...place,
          whyNot: whyNoContainer(containerId, place),
          exitCode: () => waited(containerId, options.signal),
        }),
      ),
    forward: (call, podSandboxId, ports, options = {}) =>
      opened(call, options, (place) =>
        openPorts({
          ...place,
          ports,
          whyNot: whyNot(place, `/v1/pods/${segment("podSandboxId", podSandboxId)}`),
        }),
      ),
  };

  /** What every session needs to open. */
  async function opened<T>(
    call: Call,
    { signal }: SessionOptions,
    open: (place: Place) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const token = await server.token();
    const { stdin }: { readonly stdin?: boolean } = call.query;
    return open({
      call,
      signal,
      token,
      url: server.urlOf(call),
      WebSocket: server.WebSocket,
      hasInput: stdin === true,
    });
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
  readonly hasInput: boolean;
}

async function lastOf<Item>(items: AsyncIterable<Item>): Promise<Item> {
  let last: Item | undefined;
  for await (const item of items) last = item;
  if (last !== undefined) return last;
  throw new CrestError("invalid_answer", "The stream ended without an item");
}
