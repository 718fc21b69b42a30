/** The base of relative paths. */
import { StartError } from "../errors.ts";

/** @throws {StartError} if it was removed. */
export function workingFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    throw new StartError("The folder that this shell is in was removed: cd to another one", { cause: error });
  }
}
