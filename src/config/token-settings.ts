/** The flags of `crest token`. */
import { type Setting, settings } from "./settings.ts";

/** Those that say where the tokens are. */
export const tokenPlaces: ReadonlySet<string> = new Set(["tokensFile", "dataDir"]);

/** Those that no other command has, and that have no variables. */
export const ownTokenSettings: readonly Setting[] = [
  {
    ...{ key: "tokenName", flag: "--name", variable: "", form: "text", group: "who", placeholder: "NAME" },
    description: "create: the caller's name, in the log and for crest token revoke.",
    defaultText: "none, it is needed",
  },
  {
    ...{ key: "tokenFor", flag: "--for", variable: "", form: "text", group: "who", placeholder: "AGE" },
    description: "create: how long the token is valid: 1h, 30d; 0 for ever.",
    defaultText: "1h",
  },
];

/** All of them, in the order of the help text. */
export const tokenSettings: readonly Setting[] = [
  ...ownTokenSettings,
  ...settings.filter(({ key, group }) => tokenPlaces.has(key) || group === "grants" || group === "denials"),
];
