/** Completes the commands of the gateway, whose flags are settings. */
import { operandsOf } from "../../config/commands.ts";
import { type Setting, settings } from "../../config/settings.ts";
import { tokenSettings } from "../../config/token-settings.ts";
import { isGatewayCommand } from "../find-command.ts";
import type { Candidate, Completion } from "./completion.ts";

export function completeGateway(name: string, before: readonly string[], current: string): Completion {
  if (!isGatewayCommand(name)) return { candidates: [], files: false };
  const known: readonly Setting[] =
    name === "token"
      ? tokenSettings
      : settings.filter(({ command }) => (name === "up" || name === "serve") && (command ?? name) === name);
  const last = before.at(-1);
  // `--flag=value`, or `--flag value` where the value cannot be absent.
  const written = /^(--[^=]+)=/.exec(current)?.[1];
  const setting = known.find(({ flag, form }) =>
    written === undefined ? flag === last && !form.startsWith("switch") : flag === written,
  );
  if (setting !== undefined) {
    const prefix = written === undefined ? "" : `${written}=`;
    const candidates = (setting.words ?? []).map((word) => ({ value: prefix + word }));
    return { candidates, files: /PATH|FILE|DIR/.test(setting.placeholder ?? "") };
  }
  if (current.startsWith("-"))
    return { candidates: [...known.map(candidateOf), { value: "--help" }], files: false };
  const operand = operandsOf(name)[before.filter((word) => !word.startsWith("-")).length] ?? "";
  const isLiteral = operand === operand.toLowerCase() && operand !== "";
  return {
    candidates: isLiteral ? operand.split("|").map((value) => ({ value })) : [],
    files: /FILE|POLICY/.test(operand),
  };
}

const candidateOf = ({ flag, form, description }: Setting): Candidate => ({
  value: form === "text" || form === "list" ? `${flag}=` : flag,
  about: description,
});
