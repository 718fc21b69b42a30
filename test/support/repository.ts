import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The folder of the repository, looked for upwards from the working directory.
 *
 * Not from this file: compiled tests may lie outside the repository.
 *
 * @throws {Error} if no parent of the working directory holds the CRI definition.
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
