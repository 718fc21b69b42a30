/** Checks that the settings for listening and TLS are consistent. */
import { StartError } from "../errors.ts";
import { isEveryAddress, isLoopback } from "./addresses.ts";
import type { PlaceOf } from "./check-options.ts";
import type { ListenAddress, TlsOptions } from "./options.ts";

interface Listening {
  readonly listen: ListenAddress;
  /** Flags and programs may omit one of the files. */
  readonly tls: Partial<TlsOptions> | undefined;
  /** The names given by the operator. */
  readonly acceptHost: readonly string[] | undefined;
}

/**
 * Refuses to listen beyond this machine without TLS: anyone who reads the token off the network is root on the node.
 *
 * @throws {StartError} naming what is missing.
 */
export function checkListening({ listen, tls, acceptHost = [] }: Listening, placeOf: PlaceOf): void {
  const { certFile, keyFile, clientCaFile } = tls ?? {};
  if (certFile !== undefined && keyFile === undefined) {
    throw new StartError(`${placeOf("tls.certFile")}: has no key, add --tls-key=FILE`);
  }
  if (keyFile !== undefined && certFile === undefined) {
    throw new StartError(`${placeOf("tls.keyFile")}: has no certificate, add --tls-cert=FILE`);
  }
  if (clientCaFile !== undefined && certFile === undefined) {
    throw new StartError(
      `${placeOf("tls.clientCaFile")}: client certificates require TLS, add --tls-cert=FILE and --tls-key=FILE`,
    );
  }
  const place = placeOf("listen");
  if ("path" in listen && certFile !== undefined) {
    throw new StartError(`${place}: a Unix socket does not use TLS, omit --tls-cert and --tls-key`);
  }
  if (!("host" in listen)) return;
  const { host, port } = listen;
  if (!isLoopback(host) && certFile === undefined) {
    throw new StartError(
      `${place}: not loopback, so TLS is required: add --tls-cert=FILE and --tls-key=FILE, or write 127.0.0.1:${port}`,
    );
  }
  if (isEveryAddress(host) && acceptHost.length === 0) {
    throw new StartError(
      `${place}: this listens on all addresses, add --accept-host=NAME for each name that clients use`,
    );
  }
}
