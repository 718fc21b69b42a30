/** Opens a SPDY session with a runtime's streaming server. */
import { request as requestPlain } from "node:http";
import { request as requestSecure } from "node:https";
import type { Duplex } from "node:stream";
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
  /** Time limit for connecting and the response, in milliseconds. Default: 10,000. */
  readonly timeoutMs?: number;
  /** Called once with a function that cancels the attempt. */
  readonly onCancel?: (cancel: () => void) => void;
}

const defaultTimeoutMs = 10_000;
const spdy = "SPDY/3.1";

/**
 * Upgrades to SPDY/3.1 at a URL that the runtime returned.
 *
 * The URL works only once, so a failed attempt is never retried.
 *
 * @throws {GatewayError} runtime_error: when the URL is not allowed, or the server refuses or cannot be reached.
 */
export async function dial(url: string, options: DialOptions): Promise<SpdyConnection> {
  const target = checkStreamUrl(url, options.streamHost);
  try {
    return createSpdyConnection(await upgrade(target, options));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new GatewayError("runtime_error", `Cannot open the runtime's stream: ${why}`, { cause: error });
  }
}

function upgrade(
  target: URL,
  { protocol, ca, timeoutMs = defaultTimeoutMs, onCancel }: DialOptions,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const request = target.protocol === "https:" ? requestSecure : requestPlain;
    const outgoing = request(target, {
      method: "POST",
      // A connection of its own, which becomes the session's.
      agent: false,
      // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would disable verification.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      headers: { connection: "upgrade", upgrade: spdy, "x-stream-protocol-version": protocol },
    });
    const fail = (error: Error): void => {
      clearTimeout(timer);
      outgoing.destroy();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    onCancel?.(() => fail(new Error("cancelled")));
    outgoing.on("error", fail);
    outgoing.once("response", ({ statusCode }) => fail(new Error(`its server answered ${statusCode}`)));
    outgoing.once("upgrade", ({ headers }, socket: Duplex, head: Buffer) => {
      clearTimeout(timer);
      if (headers.upgrade?.toUpperCase() !== spdy) {
        socket.destroy();
        reject(new Error(`its server did not switch to ${spdy}`));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    outgoing.end();
  });
}
