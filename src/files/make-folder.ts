/** Creates a folder and its missing parents. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { isHidden } from "./sandbox.ts";

/** PATH_MAX on Linux, without the final NUL. */
const maxPathBytes = 4095;

/**
 * Creates `path` and its missing parents with `mode` less the umask. An existing folder keeps its mode.
 *
 * Does not use `mkdir` with `recursive`: Node retries it while the kernel answers ENOENT, which /proc does for any new
 * name, so one such path would occupy a whole CPU until the process ends. This function tries each folder once.
 *
 * @throws {NodeJS.ErrnoException} ENOTDIR, EACCES, ENAMETOOLONG and so on.
 */
export async function makeFolder(path: string, mode: number): Promise<void> {
  if (Buffer.byteLength(path) > maxPathBytes) throw failure("ENAMETOOLONG", path);
  const missing: string[] = [];
  for (let folder = path; !(await isFolder(folder)); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    await mkdir(folder, { mode }).catch(async (error: NodeJS.ErrnoException) => {
      // Another process has created it meanwhile, unless it is a dangling symbolic link.
      if (error.code !== "EEXIST" || !(await isFolder(folder))) throw error;
    });
  }
}

/** False if nothing is there. A path that the sandbox hides is above a permitted one, so it is assumed to exist. */
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
