/**
 * Bounds the error text of one call, so that it cannot end the connection of all calls.
 *
 * A gRPC error travels in HTTP/2 trailers. When they are larger than 64 KiB, nghttp2 (under Node's http2) gives up
 * the whole connection, and Node 20 does not even report it. A caller can cause that with a long name that the
 * runtime repeats, and a registry with a long message. An announced SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113,
 * 6.5.2) makes a Go server reset only the stream whose trailers are larger.
 *
 * grpc-js has no option for the setting. This module announces it on every connection that grpc-js makes, before
 * the first call. It depends on two private members, so package.json names one exact version of grpc-js.
 */
import type { ClientHttp2Session } from "node:http2";
import { Http2SubchannelConnector } from "@grpc/grpc-js/build/src/transport.js";

/** Longest error of a runtime that can be read, with the other trailers. */
export const maxErrorTextBytes = 32 * 1024;

/** What is private in grpc-js: `createSession` settles once the server's own settings have come. */
interface Connector {
  createSession(...args: unknown[]): Promise<{ readonly session: ClientHttp2Session }>;
}

const connector = Http2SubchannelConnector.prototype as unknown as Connector;
const { createSession } = connector;
connector.createSession = async function (...args) {
  const transport = await createSession.apply(this, args);
  transport.session.settings({ maxHeaderListSize: maxErrorTextBytes });
  return transport;
};
