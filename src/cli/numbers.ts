/** Numbers in flags. */
import { StartError } from "../errors.ts";

/** A whole number of at most nine digits, 0 or more. @throws {StartError} naming the flag. */
export function wholeNumber(flag: string, text: string): number {
  if (!/^\d{1,9}$/.test(text))
    throw new StartError(`${flag}=${text}: write a whole number such as ${flag}=10`);
  return Number(text);
}
