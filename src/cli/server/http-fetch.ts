/**
 * `fetch` for the client, on `node:http`: it reaches Unix sockets and takes certificates, and unlike a platform's `fetch` it
 * costs little to load.
 */
import { type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import type { Fetch, FetchResponse } from "../../client/index.ts";
import type { Transport } from "./transport.ts";
import { Unreachable } from "./unreachable.ts";

type Request = typeof requestHttp;

/** How long a host may take to accept a connection. */
const connectMs = 10_000;

/** @param address The gateway, for messages. */
export function createFetch(transport: Transport, address: string): Fetch {
  const { socketPath } = transport;
  return async (url, { body, redirect: _never, ...init }) => {
    const isTls = url.startsWith("https:");
    // TLS takes longer to load than all the rest.
    const [request, more]: readonly [Request, RequestOptions] = isTls
      ? [(await import("node:https")).request, (await import("./tls-options.ts")).tlsOptions(transport)]
      : [requestHttp, { socketPath }];
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(url, { ...init, ...more, agent: false }, resolve);
      sent.on("error", (error) =>
        reject(init.signal?.aborted === true ? error : new Unreachable(address, error)),
      );
      const timer = setTimeout(
        () => sent.destroy(new Error(`no connection within ${connectMs / 1000} s`)),
        connectMs,
      );
      sent.on("socket", (socket) => socket.once("connect", () => clearTimeout(timer)));
      sent.on("close", () => clearTimeout(timer));
      sent.end(body);
    });
    const { statusCode = 0, headers } = message;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      message.destroy();
      throw new Unreachable(address, { redirectedTo: headers.location });
    }
    return responseOf(message);
  };
}

function responseOf(message: IncomingMessage): FetchResponse {
  const { statusCode: status = 0, headers } = message;
  const pieces = message[Symbol.asyncIterator]();
  async function text(): Promise<string> {
    const all: Buffer[] = [];
    for await (const piece of message) all.push(piece);
    return Buffer.concat(all).toString("utf8");
  }
  return {
    ok: status >= 200 && status < 300,
    status,
    headers: {
      get(name) {
        const value = headers[name.toLowerCase()];
        return Array.isArray(value) ? value.join(", ") : (value ?? null);
      },
    },
    body: {
      getReader: () => ({
        async read() {
          const { done = false, value } = await pieces.next();
          return { done, value };
        },
        cancel: async () => void message.destroy(),
      }),
    },
    text,
    json: async () => JSON.parse(await text()),
  };
}
