/** Makes folders that must be trusted. See trusted-path.ts for the rule. */
import { join } from "node:path";
import { makeFolder } from "./make-folder.ts";
import { checkFolder, resolveTrusted } from "./trusted-path.ts";

/**
 * Makes a folder that Crest keeps files in, and those above it, for its own user only; one that exists is checked.
 *
 * @returns Its path without symbolic links.
 * @throws {UntrustedPathError}
 * @throws {NodeJS.ErrnoException} when it cannot be made.
 */
export async function makeTrustedFolder(path: string): Promise<string> {
  const made = await makeBelowTrusted(path);
  checkFolder(made);
  return made;
}

/**
 * The same, but only the folders above an existing one are checked. For a folder that may be shared with others,
 * whose files are checked one by one.
 */
export async function makeBelowTrusted(path: string): Promise<string> {
  const found = resolveTrusted(path);
  if (found.missing.length === 0) return found.path;
  const folder = join(found.path, ...found.missing);
  await makeFolder(folder, 0o700);
  // In a folder with the sticky bit somebody else may have been faster.
  return resolveTrusted(folder).path;
}
