/**
 * `fetch` for the client, on `node:http`: it reaches Unix sockets and takes certificates, and unlike a platform's `fetch` it
 * costs nothing to load.
 */
import { type IncomingMessage, request as overHttp } from "node:http";
import { request as overHttps } from "node:https";
import { text } from "node:stream/consumers";
import type { Fetch, FetchResponse } from "../../client/index.ts";

/** How a gateway is reached, besides its URL. */
export interface Transport {
  /** A Unix socket, as a path. */
  readonly socketPath?: string | undefined;
  /** Certificates to trust instead of the system's, as PEM. */
  readonly ca?: string | undefined;
  /** The certificate of the client and its key, as PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export function createFetch(transport: Transport): Fetch {
  return (url, { body, redirect: _never, ...init }) =>
    new Promise((resolve, reject) => {
      const request = url.startsWith("https:") ? overHttps : overHttp;
      const sent = request(url, { ...init, ...transport, agent: false }, (message) =>
        resolve(responseOf(message)),
      );
      sent.on("error", reject);
      sent.end(body);
    });
}

function responseOf(message: IncomingMessage): FetchResponse {
  const { statusCode: status = 0, headers } = message;
  const pieces = message[Symbol.asyncIterator]();
  const whole = (): Promise<string> => text(message);
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
    text: whole,
    json: async () => JSON.parse(await whole()),
  };
}
