/** The arguments of `crest token`. */
import { join } from "node:path";
import { StartError } from "../errors.ts";
import type { Grants } from "../grants.ts";
import { defaultDataDir } from "./data-dir.ts";
import type { Arguments } from "./flags.ts";
import { grantSettings, grantsOfFlags } from "./grant-flags.ts";
import { maxAgeMs, readDuration } from "./quantities.ts";
import type { Surroundings } from "./resolve.ts";
import { settings } from "./settings.ts";
import { ownTokenSettings, tokenPlaces } from "./token-settings.ts";
import { readSetting, type WrittenSettings } from "./values.ts";
import { readEnvironment } from "./variables.ts";

export type TokenCommand = { readonly tokensFile: string } & (
  | { readonly action: "create"; readonly token: NewToken }
  | { readonly action: "list" }
  | { readonly action: "revoke"; readonly revoked: string }
);

/** A token to make. */
export interface NewToken {
  readonly name: string;
  /** How long it is valid, in milliseconds; 0: for ever. */
  readonly forMs: number;
  readonly grants: Grants;
}

/** How long a token is valid if nobody says so. */
export const defaultTokenMs = 3_600_000;

/** @throws {StartError} naming the flag. */
export function readTokenCommand({ operands, flags }: Arguments, around: Surroundings): TokenCommand {
  const [action, name] = operands;
  const tokensFile = placeOf(new Map([...readEnvironment(around.env), ...flags]), around);
  const [other] = [...flags.keys()].filter((key) => !tokenPlaces.has(key));
  if (action !== "create" && other !== undefined)
    throw new StartError(`${flags.get(other)?.[0]?.place}: only for crest token create`);
  if (action === "create") {
    if (name !== undefined) throw new StartError(`${name}: unexpected argument, write --name=${name}`);
    return { action, tokensFile, token: readToken(flags) };
  }
  if (action === "revoke") {
    if (name === undefined) throw new StartError("crest token revoke: write crest token revoke NAME");
    return { action, tokensFile, revoked: name };
  }
  if (name !== undefined)
    throw new StartError(`${name}: unexpected argument, crest token list takes only flags`);
  return { action: "list", tokensFile };
}

/** As for a gateway with these settings. */
function placeOf(written: WrittenSettings, around: Surroundings): string {
  const read = (key: string): string | undefined => {
    const setting = settings.find((one) => one.key === key);
    const texts = written.get(key);
    return setting && texts ? String(readSetting(setting, texts, around)) : undefined;
  };
  return read("tokensFile") ?? join(read("dataDir") ?? defaultDataDir(around), "tokens.json");
}

function readToken(flags: WrittenSettings): NewToken {
  const own = (key: string): string | undefined => {
    const setting = ownTokenSettings.find((one) => one.key === key);
    const texts = flags.get(key);
    return setting && texts ? String(readSetting(setting, texts, { cwd: "/" })) : undefined;
  };
  const name = own("tokenName");
  if (name === undefined) throw new StartError("--name: missing, write --name=NAME to list and revoke it by");
  if (!grantSettings.some(({ group, key }) => group === "grants" && flags.has(key)))
    throw new StartError("crest token create: grants nothing, add --allow-exec or another --allow flag");
  const validFor = own("tokenFor");
  return {
    name,
    forMs: validFor === undefined ? defaultTokenMs : readFor(validFor),
    grants: grantsOfFlags(flags),
  };
}

function readFor(text: string): number {
  try {
    return readDuration(text, maxAgeMs);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(`--for=${text}: ${error.message}`, { cause: error });
  }
}
