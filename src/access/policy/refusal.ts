/** What a refusal of the pod policy says: every reason, and the flags that would permit it. */
import { type FieldError, GatewayError } from "../../errors.ts";
import type { PolicyLevel } from "../../grants.ts";

/** Flags to add and to remove. */
export interface Flags {
  readonly add?: string;
  readonly without?: readonly string[];
}

export interface Refused {
  readonly detail: string;
  /** The grant that is missing. */
  readonly grant: "host" | "pull";
  /** What the process would have to be started with; absent if it permits it. */
  readonly ofProcess?: Flags;
  /** What the caller's token, or the first of those that it was made with, would have to be made with. */
  readonly ofToken?: Flags;
}
/** `pointer`: into the request. */
export type Refusal = Refused & { readonly pointer: string };
/** Who lacks what, of the process and the tokens. */
export function lacking(flags: readonly (Flags | undefined)[]): Pick<Refused, "ofProcess" | "ofToken"> {
  const [ofProcess, ...ofTokens] = flags;
  const ofToken = ofTokens.find((one) => one !== undefined);
  return {
    ...(ofProcess === undefined ? {} : { ofProcess }),
    ...(ofToken === undefined ? {} : { ofToken }),
  };
}

/** More reasons than this are counted only: a short body can have very many. */
const mostReasons = 100;

/** Names everything at once, so that nobody restarts twice. */
export function refusalOf(refusals: readonly Refusal[], level: PolicyLevel): GatewayError {
  const errors: FieldError[] = refusals
    .slice(0, mostReasons)
    .map(({ pointer, detail, ofProcess, ofToken }) => ({
      pointer,
      detail,
      grant: [...new Set([ofProcess, ofToken].flatMap(partsOf))].join(" and "),
    }));
  const grants = [...new Set(refusals.map(({ grant }) => grant))];
  const remedies = [
    remedyOf(
      "run again",
      refusals.flatMap(({ ofProcess = [] }) => ofProcess),
    ),
    remedyOf(
      "use a token made",
      refusals.flatMap(({ ofToken = [] }) => ofToken),
    ),
  ].filter((remedy) => remedy !== "");
  const [first] = errors;
  const count = refusals.length - 1;
  const where = refusals.length > mostReasons ? `, the first ${mostReasons} in "errors"` : ' in "errors"';
  const more = count > 0 ? `, and ${count} more${where}` : "";
  return new GatewayError(
    "not_capable",
    `Requires ${grants.join(" and ")} access under the policy ${level}: ${first?.detail}${more}, ${remedies.join(", and ")}`,
    { errors, members: { grant: grants[0], grants } },
  );
}

function partsOf(flags: Flags | undefined): readonly string[] {
  if (flags === undefined) return [];
  const { add, without = [] } = flags;
  return [...without.map((flag) => `without ${flag}`), ...(add === undefined ? [] : [add])];
}

/** `run again without --deny-host and with --allow-host=port:8080`; empty if nothing is missing. */
function remedyOf(how: string, all: readonly Flags[]): string {
  const flags = [...new Set(all.flatMap(({ add }) => (add === undefined ? [] : [add])))];
  // All of it covers each word.
  const added = flags.includes("--allow-host")
    ? flags.filter((flag) => !flag.startsWith("--allow-host="))
    : flags;
  const removed = [...new Set(all.flatMap(({ without = [] }) => without))];
  const parts = [
    ...(removed.length > 0 ? [`without ${removed.join(" ")}`] : []),
    ...(added.length > 0 ? [`with ${joined(added)}`] : []),
  ];
  return parts.length === 0 ? "" : `${how} ${parts.join(" and ")}`;
}

/** `--allow-host=a,b`: the words of one flag. */
function joined(flags: readonly string[]): string {
  const hosts = flags.filter((flag) => flag.startsWith("--allow-host="));
  const words = hosts.map((flag) => flag.slice("--allow-host=".length));
  const others = flags.filter((flag) => !hosts.includes(flag));
  return [...(words.length > 0 ? [`--allow-host=${words.join(",")}`] : []), ...others].join(" ");
}
