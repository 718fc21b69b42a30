/** What the handlers of routes work with. */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "../auth/authorize.ts";
import type { Runtime } from "../cri/channel.ts";
import { encodeRequest } from "../cri/codec.ts";
import type { Inventory } from "../cri/inventory.ts";
import type { Prepare } from "../cri/prepare.ts";
import type { Rpc } from "../gen/methods.ts";
import type { BufferPool } from "../wire/buffer-pool.ts";
import { InvalidValue } from "../wire/invalid-value.ts";
import { type Binder, invalid, type JsonObject, type Parts } from "./bind.ts";
import type { Share } from "./sharing.ts";

export interface Gateway {
  readonly runtime: Runtime;
  readonly inventory: Inventory;
  readonly prepare: Prepare;
  readonly pool: BufferPool;
  readonly share: Share;
  /** Who may do what. Set once per request, by authentication. */
  callerOf(request: FastifyRequest): Caller;
}

export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** What a binder reads of a request. */
export function partsOf(request: FastifyRequest): Parts {
  return {
    params: request.params as Parts["params"],
    query: request.query as Parts["query"],
    body: request.body as Uint8Array | undefined,
  };
}

/** Cancels what works for a client that has left. Not `request.signal`: that fires at the end of a POST body. */
export function whenGone(reply: FastifyReply): (cancel: () => void) => void {
  const { raw } = reply;
  return (cancel) => {
    const left = (): void => {
      if (!raw.writableFinished) cancel();
    };
    // Who left while something else was asked first does not leave again.
    if (raw.closed) left();
    else raw.once("close", left);
  };
}

/** Encodes what a binder bound. @throws {GatewayError} `invalid_request`, with the places as the caller wrote them. */
export function encodeBound(rpc: Rpc, message: JsonObject, { locate }: Binder): Buffer {
  try {
    return encodeRequest(rpc, message);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw invalid(error.mistakes.map(({ pointer, detail }) => locate(pointer, detail)));
  }
}
