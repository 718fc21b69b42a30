/**
 * Readers of places: paths, sockets, addresses, host names.
 *
 * Each throws a StartError that says what is wrong and what would be right, without the place of the
 * text: values.ts puts it in front.
 */
import { isIPv4, isIPv6 } from "node:net";
import { resolve } from "node:path";
import { StartError } from "../errors.ts";
import type { ListenAddress } from "./options.ts";

export interface ReadOptions {
  /** Where relative paths start. */
  readonly cwd: string;
}

/** sun_path of a Linux socket address has 108 bytes, one of them for the end. */
export const unixPathLimitBytes = 107;

/** An absolute path. */
export function readPath(text: string, options: ReadOptions): string {
  if (text.startsWith("~")) throw new StartError("~ means nothing here, write the whole path");
  return resolve(options.cwd, text);
}

function readUnixPath(text: string, options: ReadOptions): string {
  // What URLs have between two slashes and the next one is a host.
  if (text === "" || /^\/\/[^/]/.test(text)) throw new StartError("no path, write unix:/path");
  const path = readPath(text, options);
  const bytes = Buffer.byteLength(path);
  if (bytes > unixPathLimitBytes) {
    throw new StartError(
      `the path has ${bytes} bytes, a Unix socket's has at most ${unixPathLimitBytes}: choose a shorter one`,
    );
  }
  return path;
}

/** `unix:/path`, `unix:///path` or `/path` -> the absolute path. */
export function readUnixSocket(text: string, options: ReadOptions): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1];
  if (scheme !== undefined && scheme !== "unix") {
    throw new StartError(`${scheme} is not supported, only Unix sockets are: write unix:///path`);
  }
  return readUnixPath(text.replace(/^unix:/, ""), options);
}

/** The usual spelling of an IP literal that stands with or without brackets, or undefined. */
function normalizeIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  // The usual cases first: isIPv6 compiles an expression for 6 ms when it is called for the first time.
  if (bare === "::1") return bare;
  if (!bare.includes(":")) return undefined;
  // A zone (`%eth0`) names an interface of one machine: no URL and no Host header has it.
  if (!isIPv6(bare) || bare.includes("%")) return undefined;
  return new URL(`http://[${bare}]`).hostname.slice(1, -1);
}

/** Whether only this machine reaches it: `localhost` or a loopback literal, without brackets. */
export function isLoopback(host: string): boolean {
  return /^(localhost|::1|127\..*)$/.test(host);
}

/** Whether it is no address but all of them: nobody calls the gateway so. */
export function isEveryAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** systemd passes its sockets from here on; those below are the standard streams. */
const firstInheritedFd = 3;

/** `HOST:PORT`, `unix:/path` or `fd:3`. Whether the host is one that needs TLS is not looked at. */
export function readListenAddress(text: string, options: ReadOptions): ListenAddress {
  if (text.startsWith("unix:")) return { path: readUnixPath(text.slice("unix:".length), options) };
  const usage = "write 127.0.0.1:8585, [::1]:8585, unix:/path or fd:3";
  const [, written, digits] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text) ?? [];
  if (written === undefined || digits === undefined) {
    throw new StartError(`no address with a port (IPv6 in brackets): ${usage}`);
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
  if (written === "") throw new StartError(`no host, write 0.0.0.0:${digits} for every address`);
  const host = written.toLowerCase() === "localhost" ? "localhost" : normalizeIp(written);
  if (host === undefined) {
    throw new StartError(
      `"${written}" is no IP address, and a name could come to mean another one: ${usage}`,
    );
  }
  return { host, port };
}

/** An IP literal in its usual spelling, without brackets. */
export function readIpAddress(text: string): string {
  const ip = normalizeIp(text);
  if (ip === undefined) {
    throw new StartError("not an IP address, and a name could come to mean another one: write 127.0.0.1");
  }
  return ip;
}

const label = "[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?";
const hostName = new RegExp(`^${label}(?:\\.${label})*$`);

/** As a Host header has it, without the port: lower case, IPv6 in brackets. */
export function readHostName(text: string): string {
  const ip = normalizeIp(text);
  if (ip !== undefined) return formatHost(ip);
  const name = text.toLowerCase();
  if (hostName.test(name)) return name;
  if (/[*?]/.test(name))
    throw new StartError(`"${text}" has a wildcard, names are compared whole: write each`);
  if (/:\d*$/.test(name)) {
    throw new StartError(`"${text}" has a port, a name holds for every port: write it alone`);
  }
  throw new StartError(`"${text}" is no host name: write node7.example or 127.0.0.1`);
}

/** A name or an IP literal without brackets -> as URLs and Host headers have it. */
export function formatHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
