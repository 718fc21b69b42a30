/** What a caller may ask of the node: the words of `--allow-host` and `--deny-host`. */
import { posix } from "node:path";
import { isBelow, resolveTrusted } from "../../files/trusted-path.ts";
import { type Grants, type HostTakes, type HostWordName, hostWords } from "../../grants.ts";
import { type Ask, wordOf } from "./ask.ts";

export interface HostGrant {
  /** Everything is granted and nothing is denied, so that nothing needs to be checked. */
  readonly isWhole: boolean;
  /** Whether a denial names paths, so that those of requests must be resolved. */
  readonly deniesPaths: boolean;
  /** Whether everything is granted that no denial names. */
  readonly isOpen: boolean;
  /** The granted words that cover `ask`, whose path is a real one; `host` if all of it is granted. */
  granting(ask: Ask): readonly string[];
  /** The denials that cover `ask`. */
  denying(ask: Ask): readonly string[];
  readonly layers: readonly HostLayer[];
}

/** What one layer of grants lets a caller mount. */
export interface HostLayer {
  readonly isOpen: boolean;
  /** What may be mounted, by its real path. */
  readonly mounts: readonly { readonly path: string; readonly readonly: boolean }[];
}

/** What every layer grants and none denies. Reads the paths of the words now: a link may lead elsewhere than before. */
export function hostGrantOf(layers: readonly Grants[]): HostGrant {
  const grants = layers.map(grantOfLayer);
  const [only] = grants;
  if (only !== undefined && grants.length === 1) return only;
  return {
    isWhole: grants.every(({ isWhole }) => isWhole),
    deniesPaths: grants.some(({ deniesPaths }) => deniesPaths),
    isOpen: grants.every(({ isOpen }) => isOpen),
    granting(ask) {
      const words = grants.map((grant) => grant.granting(ask));
      return words.every(({ length }) => length > 0) ? words.flat() : [];
    },
    denying: (ask) => grants.flatMap((grant) => grant.denying(ask)),
    layers: grants.flatMap((grant) => grant.layers),
  };
}

function grantOfLayer({ all, allow, deny }: Grants): HostGrant {
  const isOpen = all || allow.host === true;
  const allowed = Array.isArray(allow.host) ? (allow.host as readonly string[]) : [];
  const denied = Array.isArray(deny.host) ? (deny.host as readonly string[]) : [];
  const mounts = allowed
    .map(parse)
    .flatMap(({ word, value, readonly }) => (word === "mount" ? [{ path: realPath(value), readonly }] : []));
  return {
    isWhole: isOpen && deny.host === undefined,
    isOpen: isOpen && deny.host !== true,
    deniesPaths: denied.some((text) => takesOf(parse(text).word) === "folder"),
    granting: (ask) => [...(isOpen ? ["host"] : []), ...allowed.filter((text) => permits(text, ask))],
    denying: (ask) => (deny.host === true ? ["host"] : denied.filter((text) => forbids(text, ask))),
    layers: [{ isOpen: isOpen && deny.host !== true, mounts }],
  };
}

interface Parsed {
  readonly word: HostWordName;
  readonly value: string;
  readonly readonly: boolean;
}

function parse(text: string): Parsed {
  const colon = text.indexOf(":");
  const word = (colon === -1 ? text : text.slice(0, colon)) as HostWordName;
  const value = colon === -1 ? "" : text.slice(colon + 1);
  const readonly = word === "mount" && value.endsWith(":ro");
  return { word, value: readonly ? value.slice(0, -3) : value, readonly };
}

const takesOf = (word: HostWordName): HostTakes => hostWords[word].takes;

function permits(text: string, ask: Ask): boolean {
  const { word, value, readonly } = parse(text);
  if (word !== ask.word) return false;
  const asked = ask.value ?? "";
  switch (takesOf(word)) {
    case "nothing":
      return true;
    case "ports":
      return isPortIn(asked, value);
    case "folder": {
      const root = realPath(value);
      // Below a folder that a container may write to, a link could lead elsewhere by the time it is followed.
      if (word === "mount" && !readonly) return asked === root;
      return (word !== "mount" || ask.readonly === true) && isBelow(asked, root);
    }
    default:
      return value === asked || (word === "cap" && value === "ALL") || isMatch(asked, value);
  }
}

/** A denial covers more than a grant of the same word: also what contains what it names. */
function forbids(text: string, ask: Ask): boolean {
  const { word, value } = parse(text);
  // A privileged container reaches everything.
  if (ask.word === "privileged") return true;
  if (word !== ask.word) return false;
  const asked = ask.value ?? "";
  switch (takesOf(word)) {
    case "nothing":
      return true;
    case "ports":
      return isPortIn(asked, value);
    case "folder": {
      const root = realPath(value);
      return isBelow(asked, root) || isBelow(root, asked);
    }
    default:
      return value === asked || (word === "cap" && [value, asked].includes("ALL")) || isMatch(asked, value);
  }
}

function isPortIn(port: string, range: string): boolean {
  const [first, last = first] = range.split("-").map(Number);
  return first !== undefined && last !== undefined && Number(port) >= first && Number(port) <= last;
}

const isMatch = (name: string, pattern: string): boolean =>
  pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1));

/** The path of a word without links; as written if it cannot be resolved. */
export function realPath(path: string): string {
  try {
    const { path: found, missing } = resolveTrusted(path);
    return posix.join(found, ...missing);
  } catch {
    return path;
  }
}

/** Whether the caller may do what `word` permits. Only for words without paths. */
export function holds(grant: HostGrant, word: HostWordName, value?: string): boolean {
  const ask: Ask = value === undefined ? { word, detail: "" } : { word, value, detail: "" };
  return grant.granting(ask).length > 0 && grant.denying(ask).length === 0;
}

/** The flag that grants it: `--allow-host=port:8080`. */
export function hostFlag(ask: Ask): string {
  const word = wordOf(ask);
  return word === undefined ? "--allow-host" : `--allow-host=${word}`;
}
