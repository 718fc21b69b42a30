/** TLS to a gateway. */
import { X509Certificate } from "node:crypto";
import { type ConnectionOptions, checkServerIdentity, type PeerCertificate } from "node:tls";
import type { Transport } from "./transport.ts";

type Pem = Pick<Transport, "ca" | "isPinned" | "cert" | "key">;

/** Trusts a certificate of `ca` even if it is no authority's, as curl does. */
export function tlsOptions({
  ca,
  isPinned,
  cert,
  key,
}: Pem): ConnectionOptions & { rejectUnauthorized: true } {
  const pinned = isPinned === true && ca !== undefined ? new X509Certificate(ca).raw : undefined;
  return {
    ...(ca === undefined ? {} : { ca, allowPartialTrustChain: true }),
    ...(cert === undefined ? {} : { cert, key }),
    rejectUnauthorized: true,
    checkServerIdentity(host: string, peer: PeerCertificate) {
      if (pinned?.equals(peer.raw)) return undefined;
      return checkServerIdentity(host, peer);
    },
  };
}
