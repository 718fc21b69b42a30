/** `WebSocket` for the client: that of `ws`, which can pause, reaches Unix sockets and takes certificates. */
import { connect } from "node:net";
import { WebSocket } from "ws";
import type { WebSocketClass } from "../../client/index.ts";
import { tlsOptions } from "./tls-options.ts";
import type { Transport } from "./transport.ts";

export function webSocketOver(transport: Transport): WebSocketClass {
  const { socketPath } = transport;
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, {
        perMessageDeflate: false,
        ...(socketPath === undefined ? {} : { createConnection: () => connect(socketPath) }),
        ...(url.startsWith("wss:") ? tlsOptions(transport) : {}),
      });
    }
  };
}
