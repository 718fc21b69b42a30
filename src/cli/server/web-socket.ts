/** `WebSocket` for the client: that of `ws`, which can pause, reaches Unix sockets and takes certificates. */
import { WebSocket } from "ws";
import type { WebSocketClass } from "../../client/index.ts";
import type { Transport } from "./http-fetch.ts";

export function webSocketOver({ socketPath, ...tls }: Transport): WebSocketClass {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      const { pathname, search } = new URL(url);
      super(socketPath === undefined ? url : `ws+unix:${socketPath}:${pathname}${search}`, protocols, tls);
    }
  };
}
