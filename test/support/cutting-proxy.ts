/** A TCP proxy on 127.0.0.1 that cuts connections, in the middle of whatever they carry. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export interface CuttingProxy {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  /** Connections so far over which a request came. Node's `fetch` also opens some without. */
  readonly connections: number;
  /** Those of them that are open. */
  readonly open: number;
  /** Bytes that it has taken from the server so far. */
  readonly bytes: number;
  /** Cuts each connection after so many bytes of the server, until it is set to undefined. */
  cutAfterBytes: number | undefined;
  /** Cuts all connections that are open. */
  cut(): void;
  /** Whether it cuts new connections at once. */
  isDown: boolean;
  /** Drops traffic, as a network does that is gone: nothing passes, and nobody is told. It passes later what came meanwhile. */
  setSilent(isSilent: boolean): void;
}

/** Starts a proxy for a port of 127.0.0.1. It is gone when the test has ended. */
export async function cuttingProxy(t: Pick<TestContext, "after">, port: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const busy = new Set<Socket>();
  let connections = 0;
  let bytes = 0;
  let isSilent = false;
  const all = new Set<Socket>();
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const server = createServer((client) => {
    if (proxy.isDown) {
      client.on("error", () => undefined).resetAndDestroy();
      return;
    }
    let passed = 0;
    const upstream = connect(port, "127.0.0.1");
    sockets.add(client);
    client.once("data", () => {
      connections++;
      busy.add(client);
    });
    const end = (): void => {
      sockets.delete(client);
      busy.delete(client);
      all.delete(client);
      all.delete(upstream);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.pipe(upstream);
    for (const socket of [client, upstream]) {
      all.add(socket);
      if (isSilent) socket.pause();
    }
    upstream.on("data", (chunk: Buffer) => {
      const rest = proxy.cutAfterBytes === undefined ? chunk.length : proxy.cutAfterBytes - passed;
      const part = chunk.subarray(0, Math.max(0, rest));
      passed += part.length;
      bytes += part.length;
      if (part.length < chunk.length) {
        // What was sent so far must arrive.
        client.write(part, () => client.destroySoon());
        upstream.destroy();
      } else if (!client.write(part)) {
        upstream.pause();
        client.once("drain", () => upstream.resume());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    cut();
    server.close();
  });
  const proxy: CuttingProxy = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    get open() {
      return busy.size;
    },
    get bytes() {
      return bytes;
    },
    cutAfterBytes: undefined,
    cut,
    isDown: false,
    setSilent(silent) {
      isSilent = silent;
      for (const socket of all) {
        if (silent) socket.pause();
        else socket.resume();
      }
    },
  };
  return proxy;
}
