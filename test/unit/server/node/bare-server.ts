/** A server of Node's own, without the gateway, and clients that write bytes. */
import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { eventually } from "../../../support/eventually.ts";

export interface Client {
  readonly socket: Socket;
  /** Settles with all that has come, once it matches. */
  until(pattern: RegExp): Promise<string>;
}

/** Listens on loopback until the test ends. Returns what opens a connection, over which `text` is sent. */
export async function listen(t: TestContext, server: Server): Promise<(text?: string) => Promise<Client>> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return async (text = "") => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    let came = "";
    socket.on("data", (bytes) => {
      came += bytes.toString("latin1");
    });
    await once(socket, "connect");
    socket.write(text);
    return {
      socket,
      async until(pattern) {
        await eventually(() => pattern.test(came));
        return came;
      },
    };
  };
}

/** A request without a body. */
export function request(target: string, ...headers: readonly string[]): string {
  return `${[`${target} HTTP/1.1`, "Host: x", ...headers].join("\r\n")}\r\n\r\n`;
}
