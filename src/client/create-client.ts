/** Puts the client together. */
import { createCalls } from "./calls.ts";
import { createOperations, type Operations } from "./gen/operations.ts";
import type { FetchResponse } from "./platform.ts";
import { type CallOptions, createServer, type ServerOptions } from "./server.ts";

export type ClientOptions = ServerOptions;

export interface RequestOptions extends CallOptions {
  /** Query parameters by name. Those that are undefined are left out, lists are repeated. */
  readonly query?: object;
  /** Sent as JSON; with `contentType`, a text that is sent as it is. */
  readonly body?: unknown;
  /** Such as `application/yaml`. Default: `application/json`. */
  readonly contentType?: string | undefined;
}

/** Every operation of the API, by its operation id. */
export interface Client extends Operations {
  /** Short for `execContainer`. */
  readonly exec: Operations["execContainer"];
  /** Short for `attachContainer`. */
  readonly attach: Operations["attachContainer"];
  /** Short for `forwardPorts`. */
  readonly portForward: Operations["forwardPorts"];
  /**
   * Sends a request to any path, such as `/v1/containers/ID/logs`, for forms that the operations do not have: the header
   * `accept: "text/plain"` gives the log as text. Read the body, or abort the signal.
   *
   * @throws {CrestError} for every answer that is no success.
   */
  request(method: string, path: `/${string}`, options?: RequestOptions): Promise<FetchResponse>;
}

/**
 * A client of the gateway at `server`. It opens no connection before an operation needs one, and keeps none of its own.
 *
 * @throws {TypeError} if `server` is no URL of http or https, or the platform has no `fetch` and none is given.
 */
export function createClient(options: ClientOptions): Client {
  const server = createServer(options);
  const operations = createOperations(createCalls(server));
  return {
    ...operations,
    exec: operations.execContainer,
    attach: operations.attachContainer,
    portForward: operations.forwardPorts,
    request: (method, path, { query = {}, body, contentType, ...call } = {}) =>
      server.send({ method, path, query, body, contentType }, { ...call, accept: acceptIn(call.headers) }),
  };
}

/** `request` alone lets its caller choose the form of the answer. */
function acceptIn(headers: CallOptions["headers"] = {}): string {
  const [, accept] = Object.entries(headers).find(([name]) => name.toLowerCase() === "accept") ?? [];
  return accept ?? "application/json";
}
