/** Writes the servers that a user has given names. */
import { join } from "node:path";
import { StartError } from "../../errors.ts";
import { waitForSocketLock } from "../../files/socket-lock.ts";
import { replaceFile } from "../../files/trusted-file.ts";
import { makeTrustedFolder } from "../../files/trusted-folder.ts";
import { reasonOf, UntrustedPathError } from "../../files/trusted-path.ts";
import { type Profiles, parseProfiles, profilesFileIn, readProfiles } from "./profiles.ts";

/** What a change may do besides, while no other process changes anything. */
export interface ProfilesFolder {
  /** Writes a token, and returns the absolute path of its file. */
  writeToken(name: string, token: string): Promise<string>;
  /** Where `writeToken` writes that of a server. */
  tokenFileOf(name: string): string;
}

/**
 * Changes the file, which is replaced as a whole. Waits while another process changes it, so none loses what it wrote.
 *
 * @param change Returns the new content, and what to return; throws to leave the file as it is.
 * @throws {StartError} if the file is not trusted, wrong, or cannot be written; then it stays as it was.
 */
export async function changeProfiles<T>(
  folder: string,
  change: (profiles: Profiles, within: ProfilesFolder) => Promise<{ profiles: Profiles; result: T }>,
): Promise<T> {
  const cannotWrite = (error: unknown): never => {
    const isOfSystem = error instanceof UntrustedPathError || (error instanceof Error && "code" in error);
    if (!isOfSystem) throw error;
    throw new StartError(`Cannot write ${profilesFileIn(folder)}: ${reasonOf(error)}`, { cause: error });
  };
  const real = await makeTrustedFolder(folder).catch(cannotWrite);
  const path = profilesFileIn(real);
  const lock = await waitForSocketLock(`${path}.lock`).catch(cannotWrite);
  try {
    const tokens = join(real, "tokens");
    const tokenFileOf = (name: string): string => join(tokens, name);
    const { profiles, result } = await change(readProfiles(path), {
      tokenFileOf,
      async writeToken(name, token) {
        await makeTrustedFolder(tokens);
        await replaceFile(tokenFileOf(name), `${token}\n`);
        return tokenFileOf(name);
      },
    });
    const text = `${JSON.stringify(profiles, null, 2)}\n`;
    // What could not be read again would make every command fail.
    parseProfiles(text, path);
    await replaceFile(path, text);
    return result;
  } catch (error) {
    return cannotWrite(error);
  } finally {
    await lock.close();
  }
}
