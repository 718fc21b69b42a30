/** Makes a folder and the ones above it. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isHidden } from "./sandbox.ts";

/** PATH_MAX of Linux, less the final NUL. */
const maxPathBytes = 4095;

/**
 * Makes `path`, and the folders above it that are missing, with `mode` less the umask. A folder that exists keeps
 * its mode.
 *
 * `mkdir` with `recursive` is not used: Node repeats it for as long as the kernel answers ENOENT, which /proc does for
 * any new name, so that one such path takes a whole processor until the process ends. Here each folder is tried once.
 *
 * @throws {NodeJS.ErrnoException} ENOTDIR, EACCES, ENAMETOOLONG and so on.
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes) throw failure("ENAMETOOLONG", path);
  const missing: string[] = [];
  for (let folder = path; !(await isFolder(folder)); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    await mkdir(folder, { mode }).catch(async (error: NodeJS.ErrnoException) => {
      // Somebody else made it meanwhile, unless it is a symbolic link to nothing.
      if (error.code !== "EEXIST" || !(await isFolder(folder))) throw error;
    });
  }
}

/** False when nothing is there. What a sandbox hides is above what it permits, and taken to be there. */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    if (isHidden(error)) return true;
    throw error;
  }
  throw failure("ENOTDIR", path);
}

function failure(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: cannot make the folder ${path}`), { code, path });
}
