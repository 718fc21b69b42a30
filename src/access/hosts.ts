/**
 * The names that a request may call this gateway by, and the pages it may come from.
 *
 * A page of some website can make a browser send requests to a loopback address, under a name of its
 * own that it lets resolve there (DNS rebinding). The `Host` header gives it away.
 */
import { GatewayError } from "../errors.ts";

/** Checks one request's `Host` and `Origin`. @throws {GatewayError} `host_not_allowed`, `origin_not_allowed`. */
export type HostGuard = (headers: {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}) => void;

/** `accepted`: exact names without a port, lower case; IPv6 addresses in brackets. */
export function createHostGuard(accepted: readonly string[]): HostGuard {
  const names = new Set(accepted.map((name) => name.toLowerCase()));
  const isAccepted = (authority: string): boolean => names.has(withoutPort(authority).toLowerCase());
  return ({ host, origin }) => {
    if (host === undefined || !isAccepted(host)) {
      throw new GatewayError(
        "host_not_allowed",
        `Host "${host ?? ""}" is not a name that this gateway accepts: run it again with --accept-host for this name`,
      );
    }
    if (origin === undefined) return;
    const authority = /^https?:\/\/([^/]+)$/i.exec(origin)?.[1];
    if (authority === undefined || authority.toLowerCase() !== host.toLowerCase()) {
      throw new GatewayError("origin_not_allowed", `Pages of origin "${origin}" may not use this gateway`);
    }
  };
}

/** `localhost:8585` -> `localhost`, `[::1]:8585` -> `[::1]`. */
function withoutPort(authority: string): string {
  return authority.replace(/:[0-9]*$/, "");
}
