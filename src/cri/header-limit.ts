/**
 * Bounds the error text of one call, so that it cannot end the connection of all calls.
 *
 * A gRPC error travels in HTTP/2 trailers. When they are larger than 64 KiB, nghttp2 (under Node's http2) gives up
 * the whole connection, and Node 20 does not even report it. A caller can cause that with a long name that the
 * runtime repeats, and a registry with a long message. An announced SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113,
 * 6.5.2) makes a Go server reset only the stream whose trailers are larger.
 *
 * grpc-js has no option for the setting. `limitHeaders` announces it on every connection of one client, before the
 * first call. It changes objects of that client only: a program that uses grpc-js besides a gateway keeps it as it
 * is. It depends on private members, so package.json names one exact version of grpc-js.
 */
import type { ClientHttp2Session } from "node:http2";
import type { Client } from "@grpc/grpc-js";

/** Longest error of a runtime that can be read, with the other trailers. */
export const maxErrorTextBytes = 32 * 1024;

/** The options of a client that `limitHeaders` takes: without them its connections may be shared with other clients. */
export const unsharedConnections = { "grpc.use_local_subchannel_pool": 1 } as const;

// ---- What is private in grpc-js ----

interface Connector {
  /** Settles once the server's own settings have come. */
  createSession(...args: unknown[]): Promise<{ readonly session: ClientHttp2Session }>;
}

interface Subchannel {
  readonly connector: Connector;
}

interface Channel {
  readonly internalChannel: {
    readonly subchannelPool: { getOrCreateSubchannel(...args: unknown[]): Subchannel };
  };
}

/** Announces the limit on every connection that `client` makes. Call it before the first call. */
export function limitHeaders(client: Client): void {
  const { subchannelPool } = (client.getChannel() as unknown as Channel).internalChannel;
  const getOrCreate = subchannelPool.getOrCreateSubchannel.bind(subchannelPool);
  const limited = new WeakSet<Connector>();
  subchannelPool.getOrCreateSubchannel = (...args) => {
    const subchannel = getOrCreate(...args);
    const { connector } = subchannel;
    if (!limited.has(connector)) announceLimit(connector);
    limited.add(connector);
    return subchannel;
  };
}

function announceLimit(connector: Connector): void {
  const createSession = connector.createSession.bind(connector);
  connector.createSession = async (...args) => {
    const transport = await createSession(...args);
    transport.session.settings({ maxHeaderListSize: maxErrorTextBytes });
    return transport;
  };
}
