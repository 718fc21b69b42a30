/** Opens a SPDY session at a runtime's streaming server. */

import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
// Not from "undici": importing that replaces the dispatcher of fetch() in the whole process.
import Client from "undici/lib/dispatcher/client.js";
import { GatewayError } from "../errors.ts";
import { createSpdyConnection, type SpdyConnection } from "./spdy/connection.ts";
import { checkStreamUrl } from "./stream-url.ts";

export interface DialOptions {
  /** What the session speaks: `v4.channel.k8s.io`, `portforward.k8s.io`. */
  readonly protocol: string;
  /** The one address that streams may come from; loopback when undefined. */
  readonly streamHost?: string | undefined;
  /** PEM certificates that the streaming server's must chain to, where it has TLS. */
  readonly ca?: string | undefined;
  /** How long connecting may take, and then the answer; default 10 s each. */
  readonly timeoutMs?: number;
  /** Called once with what gives the attempt up. */
  readonly onCancel?: (cancel: () => void) => void;
}

export type Dial = (url: string, options: DialOptions) => Promise<SpdyConnection>;

const defaultTimeoutMs = 10_000;
const spdy = "SPDY/3.1";

/**
 * Upgrades to SPDY/3.1 at a URL that the runtime answered.
 *
 * The URL works once: whatever goes wrong, it is not dialled again.
 *
 * @throws {GatewayError} `runtime_error` when the server refuses or cannot be reached.
 */
export async function dial(
  url: string,
  { protocol, streamHost, ca, timeoutMs = defaultTimeoutMs, onCancel }: DialOptions,
): Promise<SpdyConnection> {
  const target = checkStreamUrl(url, streamHost);
  const client = new Client(target.origin, {
    connect: {
      timeout: timeoutMs,
      // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would switch the check off.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
    },
    headersTimeout: timeoutMs,
    // The session has its own limits.
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
