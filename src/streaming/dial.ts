/** Opens a SPDY session with a runtime's streaming server. */

import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
// Not from "undici": importing that replaces the global fetch() dispatcher of the process.
import Client from "undici/lib/dispatcher/client.js";
import { GatewayError } from "../errors.ts";
import { createSpdyConnection, type SpdyConnection } from "./spdy/connection.ts";
import { checkStreamUrl } from "./stream-url.ts";

export interface DialOptions {
  /** The session's protocol: `v4.channel.k8s.io` or `portforward.k8s.io`. */
  readonly protocol: string;
  /** The only address that streams may come from. Default: any loopback address. */
  readonly streamHost?: string | undefined;
  /** CA certificates (PEM) that the streaming server's certificate must chain to, if it uses TLS. */
  readonly ca?: string | undefined;
  /** Time limit for connecting, and again for the response. Default: 10 s each. */
  readonly timeoutMs?: number;
  /** Called once with a function that cancels the attempt. */
  readonly onCancel?: (cancel: () => void) => void;
}

export type Dial = (url: string, options: DialOptions) => Promise<SpdyConnection>;

const defaultTimeoutMs = 10_000;
const spdy = "SPDY/3.1";

/**
 * Upgrades to SPDY/3.1 at a URL that the runtime returned.
 *
 * The URL works only once, so a failed attempt is never retried.
 *
 * @throws {GatewayError} runtime_error: when the URL is not allowed, or the server refuses or cannot be reached.
 */
export async function dial(
  url: string,
  { protocol, streamHost, ca, timeoutMs = defaultTimeoutMs, onCancel }: DialOptions,
): Promise<SpdyConnection> {
  const target = checkStreamUrl(url, streamHost);
  const client = new Client(target.origin, {
    connect: {
      timeout: timeoutMs,
      // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would disable verification.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    },
    headersTimeout: timeoutMs,
    // Sessions have their own limits.
    bodyTimeout: 0,
  });
  onCancel?.(() => void client.destroy());
  const socket = await upgrade(client, target, protocol).catch((error: Error) => {
    void client.destroy();
    if (error instanceof GatewayError) throw error;
    throw new GatewayError("runtime_error", `Cannot open the runtime's stream: ${error.message}`, {
      cause: error,
    });
  });
  return createSpdyConnection(socket);
}

function upgrade(client: Client, target: URL, protocol: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onRequestUpgrade(_controller, _status, headers, socket) {
        if (String(headers.upgrade).toUpperCase() === spdy) {
          resolve(socket);
          return;
        }
        socket.destroy();
        reject(refusal(`did not switch to ${spdy}`));
      },
      onResponseStart(controller, status) {
        const error = refusal(`answered ${status}`);
        reject(error);
        controller.abort(error);
      },
      onResponseError(_controller, error) {
        reject(error);
      },
    };
    client.dispatch(
      {
        method: "POST",
        path: target.pathname,
        upgrade: spdy,
        headers: { "x-stream-protocol-version": protocol },
      },
      handler,
    );
  });
}

function refusal(what: string): GatewayError {
  return new GatewayError("runtime_error", `Cannot open the runtime's stream: its server ${what}`);
}
