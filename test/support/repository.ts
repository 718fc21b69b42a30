import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Finds the root of the repository, upwards from the working directory.
 *
 * Does not start at this file, because compiled tests may be outside the repository.
 *
 * @throws {Error} if no parent of the working directory has the CRI definition.
 */
export function repositoryRoot(): string {
  let folder = process.cwd();
  while (!existsSync(join(folder, "proto", "runtime", "v1", "api.proto"))) {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error(`Cannot find the repository: no parent of ${process.cwd()} holds proto/runtime/v1`);
    }
    folder = parent;
  }
  return folder;
}
