/** Listens on local ports. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { StartError } from "../../errors.ts";
import type { PortSpec } from "./port-spec.ts";

export interface Listener {
  readonly server: Server;
  /** `127.0.0.1:8080`, `[::1]:8080`. */
  readonly address: string;
}

/** A free port of one address may be taken at another. */
const mostAttempts = 20;
/** What `::1` gives on a machine without IPv6. */
const missing: ReadonlySet<unknown> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/**
 * Listens on the same port of all addresses. One that the machine does not have is left out, if another is there.
 *
 * @throws {StartError}
 */
export async function listen(
  addresses: readonly string[],
  { localPort }: PortSpec,
  connected: (socket: Socket) => void,
): Promise<readonly Listener[]> {
  for (let attempt = 1; ; attempt++) {
    const listeners: Listener[] = [];
    let absent: unknown;
    try {
      for (const address of addresses) {
        const port = localPort === 0 ? (portOf(listeners[0]) ?? 0) : localPort;
        try {
          listeners.push(await listenOn(address, port, connected));
        } catch (error) {
          if (!missing.has(codeOf(error)) || addresses.length === 1) throw error;
          absent = error;
        }
      }
      if (listeners.length === 0) throw absent;
      return listeners;
    } catch (error) {
      for (const { server } of listeners) server.close();
      const isTaken = codeOf(error) === "EADDRINUSE";
      if (isTaken && localPort === 0 && attempt < mostAttempts) continue;
      throw refusal(error, localPort);
    }
  }
}

function listenOn(address: string, port: number, connected: (socket: Socket) => void): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, connected);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: address, port, ipv6Only: address.includes(":") }, () => {
      server.off("error", reject);
      // A connection that cannot be accepted ends by itself.
      server.on("error", () => undefined);
      const { port: actual } = server.address() as AddressInfo;
      resolve({ server, address: address.includes(":") ? `[${address}]:${actual}` : `${address}:${actual}` });
    });
  });
}

const portOf = (listener: Listener | undefined): number | undefined =>
  (listener?.server.address() as AddressInfo | null | undefined)?.port;

const codeOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined;

function refusal(error: unknown, port: number): StartError {
  const reasons: { readonly [code: string]: string } = {
    EADDRINUSE: "another program listens on it, write another port or : for any free one",
    EACCES: "ports below 1024 need root, write one from 1024 on",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "this machine has no such address",
  };
  const text = error instanceof Error ? error.message : String(error);
  const reason = reasons[String(codeOf(error))] ?? text;
  return new StartError(`Cannot listen on port ${port === 0 ? "of any number" : port}: ${reason}`, {
    cause: error,
  });
}
