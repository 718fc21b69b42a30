/**
 * The grant words: the single declaration from which the route table, flags, variables and refusals are derived.
 *
 * Imports nothing.
 */

/**
 * What may follow the `=` after a word:
 * - `kinds`: some of the word's kinds, `--allow-read=pods,images`;
 * - `prefixes`: registries, with or without a path, `--allow-pull=docker.io/library`;
 * - `scope`: the pods that it applies to. Reserved: values are refused until scopes exist;
 * - `nothing`: the word cannot be narrowed.
 */
type Takes = "kinds" | "prefixes" | "scope" | "nothing";

interface Word {
  readonly takes: Takes;
  /** One line for help texts: what a caller may do. */
  readonly summary: string;
  readonly kinds?: readonly string[];
}

/** Word -> what it permits. New words may be added, but none may be renamed: they are flags, variables and API. */
export const grantWords = {
  read: {
    takes: "kinds",
    kinds: ["pods", "containers", "images", "stats", "events", "runtime"],
    summary: "List and inspect, wait for the end of a container",
  },
  logs: { takes: "scope", summary: "Read the logs of containers" },
  run: { takes: "scope", summary: "Create and start pods and containers, change their resources" },
  stop: { takes: "scope", summary: "Stop pods and containers" },
  remove: { takes: "scope", summary: "Remove pods and containers" },
  exec: { takes: "scope", summary: "Run commands in containers, attach to them" },
  checkpoint: { takes: "scope", summary: "Checkpoint containers and pods, restore pods" },
  forward: { takes: "scope", summary: "Connect to ports of pods" },
  pull: { takes: "prefixes", summary: "Pull images" },
  "image-remove": { takes: "nothing", summary: "Remove images" },
  verbose: {
    takes: "nothing",
    summary: "Verbose status: it shows environments and the runtime's own configuration",
  },
  unmanaged: {
    takes: "nothing",
    summary: "Change pods that Crest did not create (a kubelet's, for one)",
  },
  host: {
    takes: "scope",
    summary: "Reach the node itself: privileged, host namespaces, paths, devices; this is root on it",
  },
} as const satisfies { readonly [word: string]: Word };

export type GrantWord = keyof typeof grantWords;

/** The kinds that a word may be narrowed to. */
export type KindOf<W extends GrantWord> = (typeof grantWords)[W] extends {
  readonly kinds: readonly (infer K extends string)[];
}
  ? K
  : never;

/** What an operation needs: a word, or a word with a kind, such as `read:pods`. */
export type Grant = {
  [W in GrantWord]: [KindOf<W>] extends [never] ? W : `${W}:${KindOf<W>}`;
}[GrantWord];

/** The words in declaration order. */
export const grantWordNames = Object.keys(grantWords) as readonly GrantWord[];

/** Every grant that an operation may need, in the order of the words. */
export const allGrants: readonly Grant[] = grantWordNames.flatMap((name) => {
  const word: Word = grantWords[name];
  return (word.kinds?.map((kind) => `${name}:${kind}`) ?? [name]) as Grant[];
});

/** The narrowing of one word: some of its kinds, or registry prefixes. */
export type NarrowingOf<W extends GrantWord> = (typeof grantWords)[W]["takes"] extends "kinds"
  ? readonly KindOf<W>[]
  : (typeof grantWords)[W]["takes"] extends "prefixes"
    ? readonly string[]
    : never;

/** Word -> `true` for all of it, or what it is narrowed to (never empty). Absent: not in the set. */
export type GrantSet = { readonly [W in GrantWord]?: true | NarrowingOf<W> };

/** What a process or a caller may do. A denial overrides all grants, including `all`. */
export interface Grants {
  /** Grants everything that is not denied. */
  readonly all: boolean;
  readonly allow: GrantSet;
  readonly deny: GrantSet;
}

/** The flag that gives this grant, for error messages: `--allow-read=pods`, `--allow-exec`. */
export function describeGrant(grant: Grant): string {
  return `--allow-${grant.replace(":", "=")}`;
}
