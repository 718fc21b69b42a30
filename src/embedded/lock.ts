/** One gateway per data folder. */

import { spawnSync } from "node:child_process";
import { closeSync, constants, ftruncateSync, readFileSync, writeSync } from "node:fs";
import { StartError } from "../errors.ts";
import { openOwnFile } from "../files/trusted-file.ts";
import { reasonOf } from "../files/trusted-path.ts";
import { withSystemPath } from "./command.ts";

export interface Lock {
  /** Gives the folder free. Idempotent. */
  close(): void;
}

/**
 * Takes the lock file at `path`, which is made when absent, for as long as this process lives.
 *
 * The lock is flock(2)'s: it belongs to the open file, the kernel drops it when the process ends in
 * whatever way, and there is neither a stale lock nor a reused pid to be mistaken about. Node has no
 * flock; the program of that name takes it on the file that it inherits from us. The file's text is
 * the owner's pid, for the message only.
 *
 * @throws {StartError} naming the pid, when it is taken; when the file is not ours.
 */
export function createLock(path: string): Lock {
  const file = openLock(path);
  const [program, args] = withSystemPath(["flock", "--exclusive", "--nonblock", "3"]);
  const { status } = spawnSync(program, args, { stdio: ["ignore", "ignore", "ignore", file] });
  if (status !== 0) {
    closeSync(file);
    const owner = readFileSync(path, "utf8").trim();
    throw new StartError(
      `The data folder is in use by process ${owner || "(starting)"}: its lock is ${path}.`,
    );
  }
  ftruncateSync(file);
  writeSync(file, `${process.pid}\n`);
  let open = true;
  return {
    close() {
      if (open) closeSync(file);
      open = false;
    },
  };
}

function openLock(path: string): number {
  try {
    return openOwnFile(path, constants.O_RDWR | constants.O_APPEND);
  } catch (error) {
    throw new StartError(`Cannot lock the data folder: ${reasonOf(error)}`, { cause: error });
  }
}
