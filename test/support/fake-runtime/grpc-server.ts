/**
 * A gRPC server on a Unix socket that gives access to its sockets: it can drop them at any moment, like a daemon that
 * dies, and listen on the same path again.
 */
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import type { GrpcFault } from "./fault.ts";

/** One call, as bytes. */
export interface Exchange {
  readonly request: Buffer;
  readonly metadata: { readonly [name: string]: readonly (string | Buffer)[] };
  readonly deadline: Date | undefined;
  /** Aborts if the client gives up before the response is complete. */
  readonly signal: AbortSignal;
  /** Sends one message. Settles once the client has room for more, or is gone. Call it once for a unary call. */
  send(message: Uint8Array): Promise<void>;
  /** Ends the call with OK or the fault. */
  finish(fault?: GrpcFault): void;
}

export interface GrpcServer {
  /** Serves a path (`/package.Service/Method`), in place of an earlier handler. May be called while listening. */
  serve(path: string, kind: "unary" | "stream", handle: (exchange: Exchange) => void): void;
  listen(): Promise<void>;
  /** Stops listening and drops all connections abruptly. */
  drop(): Promise<void>;
}

export function createGrpcServer(socketPath: string): GrpcServer {
  const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
  const grpc = new Server(unlimited);
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // A client that disconnects is not a failure of the fake.
    socket.on("error", () => undefined);
    injector.injectConnection(socket);
  });

  return {
    serve(path, kind, handle) {
      const same = (bytes: Buffer) => bytes;
      grpc.unregister(path);
      if (kind === "unary") {
        const unary = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
          handle(unaryExchange(call, callback));
        grpc.register(path, unary, same, same, "unary");
      } else {
        const stream = (call: ServerWritableStream<Buffer, Buffer>) => handle(streamExchange(call));
        grpc.register(path, stream, same, same, "serverStream");
      }
    },
    async listen() {
      if (listener.listening) return;
      await rm(socketPath, { force: true });
      await new Promise<void>((resolve, reject) => {
        listener.once("error", reject);
        listener.listen(socketPath, () => {
          listener.off("error", reject);
          resolve();
        });
      });
    },
    async drop() {
      if (!listener.listening) return;
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

type Surface = ServerUnaryCall<Buffer, Buffer> | ServerWritableStream<Buffer, Buffer>;

/** What both kinds of call share, and a function that marks the response as complete. */
function beginExchange(call: Surface): { common: Omit<Exchange, "send" | "finish">; done: () => void } {
  const controller = new AbortController();
  let finished = false;
  // It also fires after a complete response, when nothing was cancelled.
  call.on("cancelled", () => {
    if (!finished) controller.abort();
  });
  const deadline = call.getDeadline();
  return {
    common: {
      request: call.request,
      metadata: metadataOf(call.metadata),
      deadline: deadline === Number.POSITIVE_INFINITY ? undefined : new Date(deadline),
      signal: controller.signal,
    },
    done: () => {
      finished = true;
    },
  };
}

function metadataOf(metadata: Metadata): { [name: string]: (string | Buffer)[] } {
  return Object.fromEntries(Object.keys(metadata.getMap()).map((name) => [name, metadata.get(name)]));
}

function unaryExchange(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): Exchange {
  const { common, done } = beginExchange(call);
  let answer: Buffer = Buffer.alloc(0);
  return {
    ...common,
    async send(message) {
      answer = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    },
    finish(fault) {
      done();
      if (fault === undefined) callback(null, answer);
      else callback({ code: fault.code, details: fault.details });
    },
  };
}

function streamExchange(call: ServerWritableStream<Buffer, Buffer>): Exchange {
  const { common, done } = beginExchange(call);
  return {
    ...common,
    async send(message) {
      if (common.signal.aborted) return;
      const room = call.write(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
      // It rejects when the client has left, and nothing is to be sent then.
      if (!room) await once(call, "drain", { signal: common.signal }).catch(() => undefined);
    },
    finish(fault) {
      done();
      if (fault === undefined) call.end();
      else call.emit("error", { code: fault.code, details: fault.details });
    },
  };
}
