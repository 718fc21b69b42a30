/** Grants as flags: `--allow-exec=demo/web --deny-logs`. */
import { StartError } from "../errors.ts";
import { type GrantSet, type Grants, grantWordNames } from "../grants.ts";
import { nearestSetting } from "./nearest-setting.ts";
import { put, readGrants } from "./resolve.ts";
import { type Setting, settings } from "./settings.ts";
import { readSetting, type Written, type WrittenSettings } from "./values.ts";

/** The settings that grant or deny something. */
export const grantSettings: readonly Setting[] = settings.filter(
  ({ group }) => group === "grants" || group === "denials",
);

const byFlag = new Map(grantSettings.map((setting) => [setting.flag, setting]));

/** Reads the grants among the flags of a command line. @throws {StartError} */
export function grantsOfFlags(written: WrittenSettings): Grants {
  const options: { grants?: unknown } = {};
  for (const setting of grantSettings) {
    const texts = written.get(setting.key);
    if (texts) put(options, setting.key, readSetting(setting, texts, { cwd: "/" }));
  }
  return readGrants(options.grants ?? {}, (key) => settings.find((one) => one.key === key)?.flag ?? key);
}

/** Reads grants that are written as a list of flags. @throws {StartError} */
export function parseGrantFlags(texts: readonly string[]): Grants {
  const written = new Map<string, Written[]>();
  for (const place of texts) {
    const equals = place.indexOf("=");
    const flag = equals === -1 ? place : place.slice(0, equals);
    const setting = byFlag.get(flag === "-A" ? "--allow-all" : flag);
    if (setting === undefined) throw new StartError(unknownFlag(flag));
    const text = equals === -1 ? undefined : place.slice(equals + 1);
    written.set(setting.key, [...(written.get(setting.key) ?? []), { text, place }]);
  }
  return grantsOfFlags(written);
}

const maxShown = 60;

function unknownFlag(flag: string): string {
  const near = nearestSetting(flag, [...byFlag.keys()]);
  const hint = near === undefined ? "" : ` (did you mean ${near}?)`;
  return `${JSON.stringify(flag.slice(0, maxShown))}: not a flag that grants or denies something${hint}`;
}

/** `["--allow-read=pods,images", "--deny-logs"]` */
export function grantFlags({ all, allow, deny }: Grants): readonly string[] {
  return [...(all ? ["--allow-all"] : []), ...flagsOf("allow", allow), ...flagsOf("deny", deny)];
}

function flagsOf(verb: "allow" | "deny", set: GrantSet): readonly string[] {
  return grantWordNames.flatMap((word) => {
    const entry: true | readonly string[] | undefined = set[word];
    if (entry === undefined) return [];
    return [entry === true ? `--${verb}-${word}` : `--${verb}-${word}=${entry.join(",")}`];
  });
}
