/** Where downloads and generated clients are kept: below node_modules, so that git never sees them. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.ts";

/** The document that clients are made of. */
export const documentPath = join(repositoryRoot(), "openapi", "openapi.json");

/** The folder with a language's program and lock files. */
export function sourceFolder(language: string): string {
  return join(repositoryRoot(), "test", "sdk", language);
}

/** The folder where a language's client is made, which is there. */
export function workFolder(language: string): string {
  const folder = join(repositoryRoot(), "node_modules", ".cache", "sdk", language);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Installs into `folder` unless it was done with the same `key` before. The stamp comes last: what was broken
 * off is done again, on an empty folder.
 */
export async function once(folder: string, key: string, install: () => Promise<void>): Promise<void> {
  const stamp = `${folder}.installed`;
  const wanted = createHash("sha256").update(key).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  rmSync(stamp, { force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await install();
  writeFileSync(stamp, wanted);
}
