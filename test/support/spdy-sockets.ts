/** Creates both ends of a connection. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { WebSocket, WebSocketServer } from "ws";

/** A TCP connection, closed when the test ends. */
export async function socketPair(
  t: Pick<TestContext, "after">,
): Promise<readonly [client: Socket, server: Socket]> {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "connection") as Promise<[Socket]>;
  const client = connect({ port, host: "127.0.0.1" });
  const [server] = await accepted;
  // The code under test must handle the client's errors.
  server.on("error", () => undefined);
  t.after(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  return [client, server];
}

/** Both ends of an open WebSocket. `silent`: the client does not answer pings. */
export async function webSocketPair(
  t: Pick<TestContext, "after">,
  { silent = false }: { readonly silent?: boolean } = {},
): Promise<readonly [client: WebSocket, server: WebSocket]> {
  const listener = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const accepted = once(listener, "connection") as Promise<[WebSocket]>;
  const client = new WebSocket(`ws://127.0.0.1:${port}`, { autoPong: !silent });
  client.on("error", () => undefined);
  const [[server]] = await Promise.all([accepted, once(client, "open")]);
  t.after(() => {
    client.terminate();
    server.terminate();
    listener.close();
  });
  return [client, server];
}
