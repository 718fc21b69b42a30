/** The tokens file on disk: read when it changes, and changed by one process at a time. */
import { createHash, randomBytes } from "node:crypto";
import { lstatSync } from "node:fs";
import { dirname, join } from "node:path";
import { StartError } from "../../errors.ts";
import { waitForSocketLock } from "../../files/socket-lock.ts";
import { readTrustedFile, replaceFile } from "../../files/trusted-file.ts";
import { makeBelowTrusted } from "../../files/trusted-folder.ts";
import { reasonOf, resolveTrusted } from "../../files/trusted-path.ts";
import { fileState } from "./file-state.ts";
import { emptyTokensFile, formatTokensFile, parseTokensFile, type TokensFile } from "./tokens-file.ts";

/** A new token. The prefix lets scanners for leaked secrets find it. */
export const newToken = (): string => `crest_${randomBytes(32).toString("base64url")}`;

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Reads the file. One that is absent has no tokens. @throws {StartError} if it is not trusted, or wrong. */
export function readTokensFile(path: string): TokensFile {
  return parseTokensFile(readText(path), path);
}

function readText(path: string): string {
  try {
    return readTrustedFile(path).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return formatTokensFile(emptyTokensFile);
    throw new StartError(`Cannot read the tokens file ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Changes the file, which is replaced as a whole. Waits while another process does.
 *
 * @param change Returns the new content, and what to return; throws to leave the file as it is.
 * @throws {StartError} if the file is not trusted, wrong, or cannot be written; then it stays as it was.
 */
export async function changeTokensFile<T>(
  path: string,
  change: (file: TokensFile) => { readonly file: TokensFile; readonly result: T },
): Promise<T> {
  const real = await findPlace(path).catch(cannotWrite(path));
  checkUser(real);
  const lock = await waitForSocketLock(`${real}.lock`).catch(cannotWrite(path));
  try {
    const { file, result } = change(readTokensFile(real));
    const text = formatTokensFile(file);
    // What could not be read again would lock everyone out.
    parseTokensFile(text, path);
    await replaceFile(real, text).catch(cannotWrite(path));
    return result;
  } finally {
    await lock.close();
  }
}

function cannotWrite(path: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof StartError) throw error;
    throw new StartError(`Cannot write the tokens file ${path}: ${reasonOf(error)}`, { cause: error });
  };
}

/** The path without links, in a folder that exists. */
async function findPlace(path: string): Promise<string> {
  await makeBelowTrusted(dirname(path));
  const { path: found, missing } = resolveTrusted(path);
  return join(found, ...missing);
}

/** A file of root would be of no use to a gateway of another user. @throws {StartError} */
function checkUser(path: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid } = lstatSync(path, { throwIfNoEntry: false }) ?? lstatSync(dirname(path));
  if (uid !== 0)
    throw new StartError(
      `${path} is for the gateway of user ${uid}: run this command as that user, with sudo -u '#${uid}'`,
    );
}

export interface WatchOptions {
  readonly path: string;
  /** Called with the content, at first and after each change. */
  readonly use: (file: TokensFile) => void;
  /** Called once for each content that cannot be used. The one before stays in use. */
  readonly refuse: (error: unknown) => void;
}

export interface TokensWatch {
  /** Reads the file again if it has changed. Costs one stat if not. */
  look(): void;
}

/** Reads the file, and again at each `look` after a change. @throws {StartError} if it cannot be used now. */
export function watchTokensFile({ path, use, refuse }: WatchOptions): TokensWatch {
  /** What identifies the state of the file that was read; undefined if it may have changed since. */
  let seen: string | undefined;
  let text: string | undefined;

  function read(): void {
    const before = fileState(path);
    const found = readText(path);
    seen = before;
    if (found === text) return;
    text = found;
    use(parseTokensFile(found, path));
  }

  read();
  let refused = "";
  return {
    look() {
      const state = fileState(path);
      if (state !== undefined && state === seen) return;
      try {
        read();
        refused = "";
      } catch (error) {
        seen = state;
        if (String(error) === refused) return;
        refused = String(error);
        refuse(error);
      }
    },
  };
}
