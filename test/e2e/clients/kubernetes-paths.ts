/**
 * Lets clients of Kubernetes' API reach sessions of the gateway: takes their WebSocket handshakes, gives
 * them the gateway's path and its token, and passes on all bytes unread. No part of the protocol is touched.
 */
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Place } from "./session.ts";

/** Where the pods and containers that Kubernetes names are found at the gateway: `/v1/pods/ID`. */
export interface Pods {
  readonly [pod: string]: { readonly path: string; readonly containers: { readonly [name: string]: string } };
}

export interface KubernetesPaths {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  close(): void;
}

const sessionPath = /^\/api\/v1\/namespaces\/[^/]+\/pods\/([^/]+)\/(exec|attach|portforward)$/;

export async function serveKubernetesPaths(gateway: Place, pods: Pods): Promise<KubernetesPaths> {
  const sockets = new Set<Socket>();
  const { hostname, port, host } = new URL(gateway.address);
  const server = createServer((_request, response) => response.writeHead(404).end());
  server.on("upgrade", (request, socket: Socket, head) => {
    const target = targetOf(request, pods);
    if (target === undefined) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(Number(port), hostname);
    const headers = { ...request.headers, host, authorization: `Bearer ${gateway.token}` };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    upstream.write([`GET ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
    upstream.write(head);
    for (const [from, to] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroySoon());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The gateway's path and query for a path of Kubernetes, with what Kubernetes says in the query in the path. */
function targetOf({ url = "" }: IncomingMessage, pods: Pods): string | undefined {
  const { pathname, searchParams } = new URL(url, "http://kubernetes");
  const [, name = "", verb] = sessionPath.exec(pathname) ?? [];
  const pod = pods[name];
  if (pod === undefined) return undefined;
  const container = searchParams.get("container");
  searchParams.delete("container");
  const path = verb === "portforward" ? pod.path : pod.containers[container ?? ""];
  return path && `${path}/${verb}?${searchParams}`;
}
