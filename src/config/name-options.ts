/** Translates messages written for the command line: programs set options, not flags. */
import { settings } from "./settings.ts";

const keyByFlag = new Map(settings.map(({ flag, key }) => [flag, key]));

/** `add --tls-key=FILE` -> `add tls.keyFile`. Leaves everything else unchanged. */
export function nameOptions(message: string): string {
  return message.replace(
    /(--[a-z]+(?:-[a-z]+)*)(?:=[^\s,;]+)?/g,
    (written, flag: string) => keyByFlag.get(flag) ?? written,
  );
}
