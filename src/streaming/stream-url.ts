/**
 * Checks the URL that a runtime returns from Exec, Attach and PortForward. The gateway connects to it from the node, so
 * it must point to the runtime's own streaming server.
 */
import { isIP } from "node:net";
import { GatewayError } from "../errors.ts";

/** `/exec/TOKEN`; cri-dockerd adds the prefix `/cri`. */
const streamPath = /^(\/[\w-]+)?\/(exec|attach|portforward)\/[\w-]+$/;

/**
 * Checks a URL. Completes those of cri-dockerd, which have no scheme and may contain the unspecified address.
 *
 * @param allowed The only address that streams may come from. Default: any loopback address.
 * @throws {GatewayError} runtime_error: when the URL is not allowed. The message omits the URL, which holds a one-time
 *   token.
 */
export function checkStreamUrl(text: string, allowed: string | undefined): URL {
  const refuse = (why: string): GatewayError =>
    new GatewayError("runtime_error", `Cannot open the runtime's stream: its URL ${why}`);
  let url: URL;
  try {
    url = new URL(text.startsWith("//") ? `http:${text}` : text);
  } catch {
    throw refuse("is invalid");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse("is neither http nor https");
  if (url.username !== "" || url.password !== "") throw refuse("contains a user name");
  if (!streamPath.test(url.pathname) || url.search !== "" || url.hash !== "")
    throw refuse("has an unexpected path");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0) throw refuse("has a host name instead of an address");
  // A server that listens on all addresses listens on this one. IPv4 loopback exists even without IPv6.
  const address = host === "::" || host === "0.0.0.0" ? (allowed ?? "127.0.0.1") : host;
  if (address !== host) url.hostname = isIP(address) === 6 ? `[${address}]` : address;
  if (allowed === undefined ? !isLoopback(address) : address !== allowed) {
    throw refuse(
      "does not point to the runtime's stream address: if it is correct, set it with --stream-host",
    );
  }
  return url;
}

function isLoopback(address: string): boolean {
  return address === "::1" || (isIP(address) === 4 && address.startsWith("127."));
}
