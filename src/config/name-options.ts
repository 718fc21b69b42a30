/** Messages are written for the command line: a program has options in place of flags. */
import { settings } from "./settings.ts";

const keyByFlag = new Map(settings.map(({ flag, key }) => [flag, key]));

/** `add --tls-key=FILE` -> `add tls.keyFile`; what is no flag stays. */
export function nameOptions(message: string): string {
  return message.replace(
    /(--[a-z]+(?:-[a-z]+)*)(?:=[^\s,;]+)?/g,
    (written, flag: string) => keyByFlag.get(flag) ?? written,
  );
}
