/** `crest-cri/client`: a typed client of the API for browsers, Node, Deno and Bun. It has no dependencies. */

export type { CommandSessionOptions, SessionOptions } from "./calls.ts";
export type { ByteWriter, CommandSession, KeptSessionHandle, TerminalSize } from "./command-session.ts";
export { type Client, type ClientOptions, createClient, type RequestOptions } from "./create-client.ts";
export { type ClientErrorCode, CrestError, type CrestErrorCode } from "./crest-error.ts";
export type * from "./gen/operations.ts";
export type * from "./gen/types.ts";
export type { Items, StreamOptions } from "./items.ts";
export type { KeepOptions } from "./kept-channels.ts";
export type { List } from "./list.ts";
export type { Fetch, FetchResponse, WebSocketClass, WebSocketLike } from "./platform.ts";
export type { PortConnection, PortSession } from "./port-session.ts";
export type { Reconnection } from "./reconnection.ts";
export type { CallOptions, CreateOptions, Token } from "./server.ts";
