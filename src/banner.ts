/** What a gateway prints when it is ready: where it is, how to get in, what may be done, lines to paste. */

import type { Config } from "./config.ts";
import { grantWordNames } from "./grants.ts";
import { quote } from "./http/shell.ts";

export interface BannerOptions {
  readonly command: "up" | "serve";
  readonly config: Config;
  /** `http://127.0.0.1:8585`, `https://10.0.0.7:8585` or `unix:/path`. */
  readonly address: string;
  /** Until when the certificate is valid, where there is one. */
  readonly validTo?: Date | undefined;
  /** The runtime's name, version and socket, in words. */
  readonly runtime: string;
}

export function banner({ command, config, address, runtime, validTo }: BannerOptions): string {
  const socket = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const curl = [
    "curl",
    ...(socket === undefined ? tlsOptions(config) : ["--unix-socket", quote(socket)]),
  ].join(" ");
  const base = socket === undefined ? callableAddress(address, config) : "http://localhost";
  const auth = `-H "Authorization: Bearer $(cat ${quote(config.tokenFile)})"`;
  const lines = [
    `Crest is ready at ${address}`,
    ...(validTo === undefined ? [] : [`  tls      ${tlsLine(config, validTo)}`]),
    `  runtime  ${runtime}`,
    `  token    ${config.tokenFile}`,
    `  grants   ${grantsLine(config)}`,
    "",
    "Try it:",
    `  ${curl} ${auth} ${base}/v1/version`,
    `  ${curl} ${auth} ${base}/v1/images`,
  ];
  if (command === "up") {
    lines.push(
      `  ${curl} ${auth} --json '{"metadata": {"name": "web"}}' ${base}/v1/pods`,
      "",
      "Ctrl-C stops it and removes its pods; its images stay.",
    );
  }
  return `${lines.join("\n")}\n`;
}

function tlsLine({ tlsCert, tlsClientCa }: Config, validTo: Date): string {
  const clients = tlsClientCa === undefined ? "" : `; clients show a certificate of ${tlsClientCa}`;
  return `https and wss, ${tlsCert} until ${validTo.toISOString()}${clients}`;
}

/** Trusts the certificate itself: curl would know an authority of the system anyway. */
function tlsOptions({ tlsCert, tlsClientCa }: Config): readonly string[] {
  if (tlsCert === undefined) return [];
  const client = tlsClientCa === undefined ? [] : ["--cert", "CLIENT.crt", "--key", "CLIENT.key"];
  return ["--cacert", quote(tlsCert), ...client];
}

/** Every address is no address to call: a name that was given is. */
function callableAddress(address: string, { acceptHost }: Config): string {
  const usual = ["localhost", "127.0.0.1", "[::1]"];
  const name = acceptHost.find((one) => !usual.includes(one)) ?? "localhost";
  return address.replace(/\/\/(0\.0\.0\.0|\[::\]):/, `//${name}:`);
}

function grantsLine({ grants }: Config): string {
  const denied = grantWordNames.filter((word) => grants.deny[word] !== undefined);
  const but = denied.length > 0 ? `, but not ${denied.join(", ")}` : "";
  if (grants.all) return `EVERYTHING${but}: whoever has the token is root on this runtime`;
  const allowed = grantWordNames.filter((word) => grants.allow[word] !== undefined);
  return allowed.length > 0
    ? `${allowed.join(", ")}${but}`
    : "nothing: see crest serve --help for --allow-read and the others";
}
