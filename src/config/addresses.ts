/**
 * Parsers for locations: paths, sockets, addresses, host names.
 *
 * Each throws a StartError that says what is wrong and what to write instead. values.ts prefixes the message with where
 * the text came from.
 */
import { isIPv4, isIPv6 } from "node:net";
import { resolve } from "node:path";
import { StartError } from "../errors.ts";
import type { ListenAddress } from "./options.ts";

export interface ReadOptions {
  /** Base directory for relative paths. */
  readonly cwd: string;
}

/** `sun_path` in a Linux socket address has 108 bytes, including the terminating NUL. */
export const unixPathLimitBytes = 107;

/** Resolves `text` to an absolute path. */
export function readPath(text: string, options: ReadOptions): string {
  if (text.startsWith("~")) throw new StartError("~ is not expanded, write the full path");
  return resolve(options.cwd, text);
}

function readUnixPath(text: string, options: ReadOptions): string {
  // In a URL, text between the leading `//` and the next slash is a host.
  if (text === "" || /^\/\/[^/]/.test(text)) throw new StartError("missing path, write unix:/path");
  const path = readPath(text, options);
  const bytes = Buffer.byteLength(path);
  if (bytes > unixPathLimitBytes) {
    throw new StartError(
      `the path has ${bytes} bytes, a Unix socket allows at most ${unixPathLimitBytes}: choose a shorter one`,
    );
  }
  return path;
}

/** Parses `unix:/path`, `unix:///path` or `/path` and returns the absolute path. */
export function readUnixSocket(text: string, options: ReadOptions): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
  if (scheme !== undefined && scheme !== "unix") {
    throw new StartError(`${scheme} is not supported, only Unix sockets are: write unix:///path`);
  }
  return readUnixPath(text.replace(/^unix:/, ""), options);
}

/** Returns the canonical form of an IP literal, with or without brackets, or undefined. */
function normalizeIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  // Check the common case first: the first call of isIPv6 spends 6 ms compiling its regular expression.
  if (bare === "::1") return bare;
  if (!bare.includes(":")) return undefined;
  // A zone (`%eth0`) names an interface of one machine and never appears in a URL or a Host header.
  if (!isIPv6(bare) || bare.includes("%")) return undefined;
  return new URL(`http://[${bare}]`).hostname.slice(1, -1);
}

/** True for `localhost` and loopback literals, without brackets. Only this machine can reach them. */
export function isLoopback(host: string): boolean {
  return /^(localhost|::1|127\..*)$/.test(host);
}

/** True for the wildcard addresses `0.0.0.0` and `::`. Clients cannot use these to address the gateway. */
export function isEveryAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** The first file descriptor that systemd passes; lower ones are the standard streams. */
const firstInheritedFd = 3;

/** Parses `HOST:PORT`, `unix:/path` or `fd:3`. Does not check whether the host needs TLS. */
export function readListenAddress(text: string, options: ReadOptions): ListenAddress {
  if (text.startsWith("unix:")) return { path: readUnixPath(text.slice("unix:".length), options) };
  const usage = "write 127.0.0.1:8585, [::1]:8585, unix:/path or fd:3";
  const [, written, digits] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text) ?? [];
  if (written === undefined || digits === undefined) {
    throw new StartError(`not an address with a port (IPv6 in brackets): ${usage}`);
  }
  if (written === "fd") {
    if (!/^\d{1,4}$/.test(digits) || Number(digits) < firstInheritedFd) {
      throw new StartError(`bad descriptor "${digits}": systemd's first socket is fd:${firstInheritedFd}`);
    }
    return { fd: Number(digits) };
  }
  const port = Number(digits);
  if (!/^\d{1,5}$/.test(digits) || port > 65535) {
    throw new StartError(`bad port "${digits}": a port is a number from 0 to 65535`);
  }
  if (written === "") throw new StartError(`missing host, write 0.0.0.0:${digits} for all addresses`);
  const host = written.toLowerCase() === "localhost" ? "localhost" : normalizeIp(written);
  if (host === undefined) {
    throw new StartError(
      `"${written}" is not an IP address, and a name could later resolve to a different one: ${usage}`,
    );
  }
  return { host, port };
}

/** Returns an IP literal in canonical form, without brackets. */
export function readIpAddress(text: string): string {
  const ip = normalizeIp(text);
  if (ip === undefined) {
    throw new StartError(
      "not an IP address, and a name could later resolve to a different one: write 127.0.0.1",
    );
  }
  return ip;
}

const label = "[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?";
const hostName = new RegExp(`^${label}(?:\\.${label})*$`);

/** Returns the name as in a Host header, without the port: lower case, IPv6 in brackets. */
export function readHostName(text: string): string {
  const ip = normalizeIp(text);
  if (ip !== undefined) return formatHost(ip);
  const name = text.toLowerCase();
  if (hostName.test(name)) return name;
  if (/[*?]/.test(name))
    throw new StartError(`"${text}" has a wildcard, which is not supported: list each name`);
  if (/:\d*$/.test(name)) {
    throw new StartError(`"${text}" has a port, but a name applies to every port: write only the name`);
  }
  throw new StartError(`"${text}" is not a host name: write node7.example or 127.0.0.1`);
}

/**
 * Returns an origin as browsers write it: `https://app.example`, `http://localhost:5173`. It is compared letter by letter,
 * so what could mean several or none is refused.
 */
export function readOrigin(text: string): string {
  if (text === "*" || /[*?]/.test(text))
    throw new StartError(`"${text}" has a wildcard, which is not supported: list each origin`);
  if (text === "null")
    throw new StartError(
      "any page can have the origin null, for example in a frame: give the page a real one",
    );
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new StartError(`"${text}" is not an origin: write https://app.example or http://localhost:5173`);
  if (text !== url.origin)
    throw new StartError(`"${text}" is not written as browsers write an origin: write ${url.origin}`);
  return text;
}

/** Formats a name or an unbracketed IP literal for URLs and Host headers. */
export function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/**
 * Parses the base address of an HTTP server, such as `http://127.0.0.1:4318`, and returns it without a slash at its
 * end. A user and password in it would appear in messages.
 */
export function readHttpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new StartError("not the address of an HTTP server, write http://127.0.0.1:4318");
  if (url.username !== "" || url.password !== "")
    throw new StartError("must not contain a password, set OTEL_EXPORTER_OTLP_HEADERS instead");
  if (url.search !== "" || url.hash !== "") throw new StartError("must not have a query or a fragment");
  return url.href.replace(/\/$/, "");
}

/** Parses the path of a file, or the URL of a key set: https, or http on loopback, where nobody is in between. */
export function readKeySet(text: string, options: ReadOptions): string {
  if (!text.includes("://")) return readPath(text, options);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url?.protocol === "http:" && isLoopback(url.hostname.replace(/^\[|\]$/g, ""));
  if (url === undefined || (url.protocol !== "https:" && !isLocal))
    throw new StartError("not an https URL, nor http on loopback: whoever answers it decides who is let in");
  if (url.username !== "" || url.password !== "") throw new StartError("must not contain a password");
  return url.href;
}

/**
 * Parses the address that audit events are posted to and returns it as it is. Who and what they name must not pass a
 * network in clear.
 */
export function readWebhookUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new StartError("not the address of an HTTP server, write https://audit.example/events");
  if (url.protocol === "http:" && !isLoopback(url.hostname.replace(/^\[|\]$/g, "")))
    throw new StartError("must be https, http is for this machine only: write https://audit.example/events");
  if (url.username !== "" || url.password !== "")
    throw new StartError("must not contain a password, set --audit-webhook-token-file instead");
  if (url.hash !== "") throw new StartError("must not have a fragment");
  return url.href;
}
