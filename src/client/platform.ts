/**
 * What the client uses of a platform: `fetch`, and a `WebSocket` for sessions. Structural types, so that those of browsers,
 * Node, Deno, Bun and of the packages `undici` and `ws` all fit, and the client's own types need no others.
 */

/** What the client passes to `fetch`. */
export interface FetchInit {
  method: string;
  headers: { [name: string]: string };
  body?: string;
  signal?: AbortSignal;
  /** The gateway never redirects, and the token must not follow to elsewhere. */
  redirect: "error";
}

export interface BodyReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason?: unknown): Promise<void>;
}

/** What the client reads of a response. */
export interface FetchResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: { getReader(): BodyReader } | null;
  text(): Promise<string>;
  json(): Promise<unknown>;
}

export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

/** An event of a WebSocket. */
export interface SocketEvent {
  readonly type: string;
  /** Of `message`. */
  readonly data?: unknown;
  /** Of `close`. */
  readonly code?: number;
  /** Of `close`. */
  readonly reason?: string;
}

/** The answer to a refused handshake, as `ws` gives it. */
export interface RefusedHandshake {
  readonly statusCode?: number | undefined;
  on(event: string, listener: (part: Uint8Array) => void): unknown;
}

/** What the client uses of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(
    type: "open" | "message" | "error" | "close",
    listener: (event: SocketEvent) => void,
  ): void;
  /** Stops reading, where the platform can: `ws`. */
  pause?(): void;
  resume?(): void;
  /** Where the platform shows the answer to a refused handshake: `ws`. */
  on?(
    event: "unexpected-response",
    listener: (request: unknown, response: RefusedHandshake) => void,
  ): unknown;
}

export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

/** The globals of the platform. */
export const platform: { readonly fetch?: Fetch; readonly WebSocket?: WebSocketClass } = globalThis;
