/** Reads the value of a flag that is a number of seconds. */
import { StartError } from "../errors.ts";

/** @param flag With its dashes. @throws {StartError} */
export function readSeconds(flag: string, text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new StartError(`${flag}=${text.slice(0, 64)}: expected whole seconds, such as ${flag}=30`);
}
