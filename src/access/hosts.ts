/**
 * Checks the name by which a request addresses the gateway, and the origin of the page that sent it.
 *
 * A website can make a browser send requests to a loopback address by letting its own name resolve to it (DNS
 * rebinding). The `Host` header reveals this.
 */
import { GatewayError } from "../errors.ts";

/** What the guard reads of a request. Browsers set these themselves, and no page can change them. */
export interface Addressed {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly "sec-fetch-site"?: string | string[] | undefined;
  readonly "sec-fetch-mode"?: string | string[] | undefined;
  readonly "sec-fetch-dest"?: string | string[] | undefined;
}

/**
 * Checks by which name, and from which page, a request came. `host` is that of the request's target; default: `Host`.
 *
 * @throws {GatewayError} host_not_allowed: when `Host` is missing or not accepted.
 * @throws {GatewayError} origin_not_allowed: when `Origin` differs from `Host` and is not allowed, or a browser says that a page of another
 * site sent the request, unless someone followed a link.
 */
export type HostGuard = (headers: Addressed, host?: string) => void;

/**
 * `accepted`: exact host names, without ports and case-insensitive; IPv6 addresses in brackets. `origins`: exact origins of
 * pages that may use the gateway besides its own.
 */
export function createHostGuard(accepted: readonly string[], origins: readonly string[] = []): HostGuard {
  const names = new Set(accepted.map((name) => name.toLowerCase()));
  const allowed = new Set(origins);
  return (headers, host = headers.host) => {
    const { origin } = headers;
    if (host === undefined || !names.has(withoutPort(host).toLowerCase())) {
      throw new GatewayError(
        "host_not_allowed",
        `Host "${host ?? ""}" is not accepted by this gateway: restart it with --accept-host for this name`,
      );
    }
    if (origin !== undefined && allowed.has(origin)) return;
    const authority = origin === undefined ? undefined : authorityOf(origin);
    if (origin !== undefined && authority !== host.toLowerCase()) {
      const hint = authority === undefined ? "" : `: restart it with --allow-origin=${origin}`;
      throw new GatewayError(
        "origin_not_allowed",
        `Pages from origin "${origin}" may not use this gateway${hint}`,
      );
    }
    if (isFromElsewhere(headers))
      throw new GatewayError("origin_not_allowed", "Pages of another site may not use this gateway");
  };
}

/** `https://app.example` -> `app.example`. Undefined for `null`, and for what is no origin of a website. */
const authorityOf = (origin: string): string | undefined =>
  /^https?:\/\/([^/]+)$/i.exec(origin)?.[1]?.toLowerCase();

/**
 * Whether a page of another site sent the request by itself. Browsers send no `Origin` with what a page only embeds or
 * asks for without reading it, such as an image.
 */
function isFromElsewhere(headers: Addressed): boolean {
  const site = headers["sec-fetch-site"];
  if (site === undefined || site === "same-origin" || site === "none") return false;
  return headers["sec-fetch-mode"] !== "navigate" || headers["sec-fetch-dest"] !== "document";
}

/** `localhost:8585` -> `localhost`, `[::1]:8585` -> `[::1]`. */
function withoutPort(authority: string): string {
  return authority.replace(/:[0-9]*$/, "");
}
