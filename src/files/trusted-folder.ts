/** Creates folders that must be trusted. See trusted-path.ts for the rule. */
import { join } from "node:path";
import { makeFolder } from "./make-folder.ts";
import { checkFolder, resolveTrusted } from "./trusted-path.ts";

/**
 * Creates a folder for Crest's files, and its missing parents, accessible only to its own user. Checks an existing one.
 *
 * @returns The path without symbolic links.
 * @throws {UntrustedPathError}
 * @throws {NodeJS.ErrnoException} if it cannot be created.
 */
export async function makeTrustedFolder(path: string): Promise<string> {
  const made = await makeBelowTrusted(path);
  checkFolder(made);
  return made;
}

/**
 * The same, but checks only the parents of an existing folder. For a folder that may be shared with others and whose
 * files are checked one by one.
 */
export async function makeBelowTrusted(path: string): Promise<string> {
  const found = resolveTrusted(path);
  if (found.missing.length === 0) return found.path;
  const folder = join(found.path, ...found.missing);
  await makeFolder(folder, 0o700);
  // In a folder with the sticky bit, another user may have created it first.
  return resolveTrusted(folder).path;
}
