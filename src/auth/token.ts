/** The bearer token: one, in clear, in a file that only its owner reads. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { GatewayError, StartError } from "../errors.ts";

const shortest = 16;

/**
 * Reads the token, or makes one where there is no file.
 *
 * @throws {StartError} when the file cannot be read or made, others may read it, or it holds no token.
 */
export async function loadToken(path: string): Promise<string> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "wx", 0o600);
    const token = randomBytes(32).toString("base64url");
    await file.writeFile(`${token}\n`);
    await file.close();
    return token;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST")
      throw new StartError(
        `Cannot make the token file ${path}: ${code ?? error}, choose another with --token-file or --data-dir`,
        { cause: error },
      );
  }
  const cannotRead = (error: NodeJS.ErrnoException): never => {
    throw new StartError(`Cannot read the token file ${path}: ${error.code}`, { cause: error });
  };
  const { mode } = await stat(path).catch(cannotRead);
  if ((mode & 0o077) !== 0) {
    throw new StartError(
      `The token file ${path} has mode ${(mode & 0o777).toString(8)}: others may read it, run chmod 600 ${path}`,
    );
  }
  const token = (await readFile(path, "utf8").catch(cannotRead)).trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < shortest) {
    throw new StartError(
      `The token file ${path} must hold one token of at least ${shortest} printable characters; remove it and a new one is made`,
    );
  }
  return token;
}

/**
 * Checks `Authorization: Bearer` against the one token, in constant time.
 *
 * A caller is told whether its token is missing or wrong, which it can know by itself. Of a wrong one nothing more is
 * said, and so nothing of the right one.
 */
export function createAuthenticator(token: string): (authorization: string | undefined) => void {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  const expected = digest(token);
  return (authorization) => {
    const given = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) {
      const what =
        authorization === undefined
          ? "The request has no token"
          : "The Authorization header holds no bearer token";
      throw new GatewayError("unauthenticated", `${what}: send Authorization: Bearer TOKEN`, {
        headers: { "www-authenticate": "Bearer" },
      });
    }
    if (!timingSafeEqual(digest(given), expected)) {
      throw new GatewayError(
        "unauthenticated",
        "The token is wrong: send the content of this gateway's token file, whose path crest prints when it starts",
        // RFC 6750, 3.1.
        { headers: { "www-authenticate": 'Bearer error="invalid_token"' } },
      );
    }
  };
}
