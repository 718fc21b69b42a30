/** What of the settings about listening must go together. */
import { StartError } from "../errors.ts";
import { isEveryAddress, isLoopback } from "./addresses.ts";
import type { PlainSettings } from "./schema.ts";
import type { WrittenSettings } from "./values.ts";

type Listening = Partial<Pick<PlainSettings, "listen" | "tlsCert" | "tlsKey" | "tlsClientCa">>;

/**
 * Whoever reads the token off the network is root on the node: without TLS only this machine is listened to.
 *
 * @throws {StartError} that names the flag which is missing.
 */
export function checkListening(
  { listen, tlsCert, tlsKey, tlsClientCa }: Listening,
  written: WrittenSettings,
): void {
  const placeOf = (key: keyof Listening, flag: string): string => written.get(key)?.at(-1)?.place ?? flag;
  if (tlsCert !== undefined && tlsKey === undefined) {
    throw new StartError(`${placeOf("tlsCert", "--tls-cert")}: has no key, add --tls-key=FILE`);
  }
  if (tlsKey !== undefined && tlsCert === undefined) {
    throw new StartError(`${placeOf("tlsKey", "--tls-key")}: has no certificate, add --tls-cert=FILE`);
  }
  if (tlsClientCa !== undefined && tlsCert === undefined) {
    const place = placeOf("tlsClientCa", "--tls-client-ca");
    throw new StartError(
      `${place}: clients show certificates over TLS only, add --tls-cert=FILE and --tls-key=FILE`,
    );
  }
  if (listen === undefined) return;
  const place = placeOf("listen", "--listen");
  if ("path" in listen && tlsCert !== undefined) {
    throw new StartError(`${place}: a Unix socket needs no TLS, leave --tls-cert and --tls-key out`);
  }
  if (!("host" in listen)) return;
  const { host, port } = listen;
  if (!isLoopback(host) && tlsCert === undefined) {
    throw new StartError(
      `${place}: not loopback, which is refused without TLS: add --tls-cert=FILE and --tls-key=FILE, or write 127.0.0.1:${port}`,
    );
  }
  if (isEveryAddress(host) && !written.has("acceptHost")) {
    throw new StartError(
      `${place}: every address has no name of its own, add --accept-host=NAME for what clients call it`,
    );
  }
}
