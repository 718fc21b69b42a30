/**
 * Limits the error text of one call, so that it cannot close the connection that all calls share.
 *
 * A gRPC error travels in HTTP/2 trailers. If they exceed 64 KiB, nghttp2 (under Node's http2) closes the whole
 * connection, and Node 20 does not even report it. A caller can trigger this with a long name that the runtime repeats,
 * and a registry with a long message. If the client announces SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113, 6.5.2), a Go
 * server resets only the stream with the oversized trailers.
 *
 * grpc-js has no option for this setting. `limitHeaders` announces it on every connection of one client, before the
 * first call. It patches objects of that client only, so other users of grpc-js in the same program are not affected.
 * It relies on private members, so package.json pins one exact version of grpc-js.
 */
import type { ClientHttp2Session } from "node:http2";
import type { Client } from "@grpc/grpc-js";

/** Longest readable error of a runtime, in bytes, including the other trailers. */
export const maxErrorTextBytes = 32 * 1024;

/** Client options that `limitHeaders` requires. Without them, the client may share its connections with others. */
export const unsharedConnections = { "grpc.use_local_subchannel_pool": 1 } as const;

// ---- What is private in grpc-js ----

interface Connector {
  /** Resolves once the server's own settings have arrived. */
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

/** Announces the limit on every connection that `client` opens. Call it before the first call. */
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
