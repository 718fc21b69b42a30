/** Locks a data folder, so that only one gateway uses it. */
import { StartError } from "./errors.ts";
import { type SocketLock, takeSocketLock } from "./files/socket-lock.ts";
import { makeTrustedFolder } from "./files/trusted-folder.ts";
import { checkEntries, reasonOf, UntrustedPathError } from "./files/trusted-path.ts";
import { gatewayLockIn } from "./local-gateway.ts";

/**
 * Locks the folder for the lifetime of this process. Creates the folder if it does not exist.
 *
 * @throws {StartError} naming the pid if the folder is locked; also when the folder is not trusted or not writable.
 */
export async function lockFolder(folder: string): Promise<SocketLock> {
  await makeDataFolder(folder);
  const path = gatewayLockIn(folder);
  const lock = await takeSocketLock(path).catch(cannotLock(folder));
  if ("close" in lock) return lock;
  throw new StartError(
    `The data folder is in use by process ${lock.owner}: its lock is ${path}, choose another with --data-dir`,
  );
}

/**
 * Creates the folder, or checks an existing one. The folder and those of its `entries` that exist must be trusted (see
 * files/trusted-path.ts).
 *
 * @throws {StartError} naming the path that is not trusted, and how to fix it.
 */
export async function makeDataFolder(folder: string, entries: readonly string[] = []): Promise<void> {
  try {
    await makeTrustedFolder(folder);
    checkEntries(entries);
  } catch (error) {
    cannotLock(folder)(error as NodeJS.ErrnoException);
  }
}

function cannotLock(folder: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const or = error instanceof UntrustedPathError ? "or " : "";
    throw new StartError(
      `Cannot use the data folder ${folder}: ${reasonOf(error)}, ${or}choose another with --data-dir`,
      { cause: error },
    );
  };
}
