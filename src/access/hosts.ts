/**
 * Checks the name by which a request addresses the gateway, and the origin of the page that sent it.
 *
 * A website can make a browser send requests to a loopback address by letting its own name resolve to it (DNS
 * rebinding). The `Host` header reveals this.
 */
import { GatewayError } from "../errors.ts";

/**
 * Checks the `Host` and `Origin` of one request.
 *
 * @throws {GatewayError} host_not_allowed: when `Host` is missing or not accepted.
 * @throws {GatewayError} origin_not_allowed: when `Origin` differs from `Host`.
 */
export type HostGuard = (headers: {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}) => void;

/** `accepted`: exact host names, without ports and case-insensitive; IPv6 addresses in brackets. */
export function createHostGuard(accepted: readonly string[]): HostGuard {
  const names = new Set(accepted.map((name) => name.toLowerCase()));
  return ({ host, origin }) => {
    if (host === undefined || !names.has(withoutPort(host).toLowerCase())) {
      throw new GatewayError(
        "host_not_allowed",
        `Host "${host ?? ""}" is not accepted by this gateway: restart it with --accept-host for this name`,
      );
    }
    if (origin === undefined) return;
    const authority = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
    if (authority === undefined || authority.toLowerCase() !== host.toLowerCase()) {
      throw new GatewayError("origin_not_allowed", `Pages from origin "${origin}" may not use this gateway`);
    }
  };
}

/** `localhost:8585` -> `localhost`, `[::1]:8585` -> `[::1]`. */
function withoutPort(authority: string): string {
  return authority.replace(/:[0-9]*$/, "");
}
