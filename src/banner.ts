/** What a gateway prints when it is ready: where it is, how to get in, what may be done, lines to paste. */

import type { Config } from "./config.ts";
import { grantWordNames } from "./grants.ts";

export interface BannerOptions {
  readonly command: "up" | "serve";
  readonly config: Config;
  /** `http://127.0.0.1:8585` or `unix:/path`. */
  readonly address: string;
  /** The runtime's name, version and socket, in words. */
  readonly runtime: string;
}

export function banner({ command, config, address, runtime }: BannerOptions): string {
  const socket = address.startsWith("unix:") ? address.slice("unix:".length) : undefined;
  const curl = socket === undefined ? "curl" : `curl --unix-socket ${quote(socket)}`;
  const base = socket === undefined ? address : "http://localhost";
  const auth = `-H "Authorization: Bearer $(cat ${quote(config.tokenFile)})"`;
  const lines = [
    `Crest is ready at ${address}`,
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

function grantsLine({ grants }: Config): string {
  const denied = grantWordNames.filter((word) => grants.deny[word] !== undefined);
  const but = denied.length > 0 ? `, but not ${denied.join(", ")}` : "";
  if (grants.all) return `EVERYTHING${but}: whoever has the token is root on this runtime`;
  const allowed = grantWordNames.filter((word) => grants.allow[word] !== undefined);
  return allowed.length > 0
    ? `${allowed.join(", ")}${but}`
    : "nothing: see crest serve --help for --allow-read and the others";
}

/** For a shell: as it is when nothing in it is special. */
function quote(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
