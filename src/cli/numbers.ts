/** Numbers in flags. */
import { StartError } from "../errors.ts";

/** A whole number of at most 15 digits, 0 or more. @throws {StartError} naming the flag. */
export function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new StartError(`${flag}=${text}: write a whole number such as ${flag}=10`);
  return Number(text);
}

/** The same for a flag that may be absent. @throws {StartError} naming the flag. */
export const optionalNumber = (flag: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : wholeNumber(flag, text);
