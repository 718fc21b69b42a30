/** The operator's token: a single one, in plain text, in a file that only its owner can read. */
import { randomBytes } from "node:crypto";
import { lstat, readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StartError } from "../errors.ts";
import { besideOf, checkSecret, createFile, readTrustedFile } from "../files/trusted-file.ts";
import { makeBelowTrusted } from "../files/trusted-folder.ts";
import { quote, reasonOf, resolveTrusted, UntrustedPathError } from "../files/trusted-path.ts";

const minLength = 16;

/**
 * Reads the token, or creates one if the file does not exist. Gateways that start at the same time get the same token.
 *
 * @throws {StartError} when the file cannot be read or created, others may read it or may have written it, or it holds
 *   no valid token.
 */
export async function loadToken(path: string): Promise<string> {
  const file = await findToken(path).catch((error: unknown) => {
    throw refusal(
      `Cannot create the token file ${path}`,
      error,
      "choose another with --token-file or --data-dir",
    );
  });
  let text: string;
  try {
    text = readTrustedFile(file, checkSecret("The token file", path)).toString("utf8");
  } catch (error) {
    throw refusal(`Cannot read the token file ${path}`, error);
  }
  if (text === "") {
    throw new StartError(
      `The token file ${path} is empty, as earlier versions left it on a full disk: run rm ${quote(path)}, and the next start creates a new one`,
    );
  }
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < minLength) {
    throw new StartError(
      `The token file ${path} must hold one token of at least ${minLength} printable characters: remove it, and the next start creates a new one`,
    );
  }
  return token;
}

/**
 * Creates a token if there is none, and returns the path of its file. Its folder may be shared, like other folders for
 * secrets.
 */
async function findToken(path: string): Promise<string> {
  const file = join(await makeBelowTrusted(dirname(path)), basename(path));
  resolveTrusted(file);
  if ((await lstat(file).catch(absent)) === undefined) {
    await createFile(file, `${randomBytes(32).toString("base64url")}\n`);
  }
  const found = await lstat(file);
  if (found.nlink > 1) await removeOtherNames(file, found.ino);
  return file;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

/** A start that was killed, or that is still running, may leave behind the temporary name of the token file. */
async function removeOtherNames(file: string, inode: number): Promise<void> {
  const folder = dirname(file);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(basename(besideOf(file)))) continue;
    const other = join(folder, name);
    if ((await lstat(other).catch(absent))?.ino === inode) await rm(other, { force: true });
  }
}

function refusal(what: string, error: unknown, instead?: string): StartError {
  if (error instanceof StartError) return error;
  const link = error instanceof UntrustedPathError ? ", or " : ", ";
  return new StartError(`${what}: ${reasonOf(error)}${instead === undefined ? "" : link + instead}`, {
    cause: error,
  });
}
