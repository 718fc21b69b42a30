/** What to say about a word that is no command. */
import { commandNames as gatewayCommandNames } from "../config/commands.ts";
import { nearest } from "../nearest.ts";
import { printable } from "../printable.ts";
import { commandNames } from "./commands.ts";

export function unknownCommand(word: string): string {
  if (word.startsWith("-")) {
    const flag = printable(word.replace(/=.*$/s, ""));
    return `${flag}: missing command, write it before the flags: crest ps ${flag}`;
  }
  const near = nearest(word, [...commandNames, ...gatewayCommandNames, "help"]);
  const hint = near === undefined ? "crest --help lists them" : `did you mean ${near}?`;
  return `${printable(word.slice(0, 100))}: unknown command, ${hint}`;
}
