import { randomBytes } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Child, startChild } from "../process/child.ts";

export interface Crest {
  readonly child: Child;
  readonly dataDir: string;
  /** What its clients send. */
  readonly headers: { readonly authorization: string };
}

/**
 * Starts `crest serve` as a user would, with a token, one grant and `flags`. It makes a folder of its own below
 * `parent`.
 */
export function startCrest(runtimeSocket: string, parent: string, flags: readonly string[] = []): Crest {
  const folder = mkdtempSync(join(parent, "crest-"));
  const token = randomBytes(32).toString("base64url");
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const child = startChild("../../src/main", {
    foreign: true,
    args: [
      "serve",
      "--listen=127.0.0.1:0",
      `--runtime-endpoint=${runtimeSocket}`,
      `--data-dir=${folder}`,
      `--token-file=${tokenFile}`,
      "--allow-read",
      ...flags,
    ],
  });
  return { child, dataDir: folder, headers: { authorization: `Bearer ${token}` } };
}
