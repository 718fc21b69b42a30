import { StartError } from "../../errors.ts";

/** The number that was written for a flag; undefined if it was not written. Its range is the gateway's to check. @throws {StartError} */
export function integerFlag(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new StartError(`--${name}=${text}: expected a whole number`);
  return Number(text);
}
