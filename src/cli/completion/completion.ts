/** What completion offers, and what it asks for. */

export interface Candidate {
  readonly value: string;
  /** For shells that show it. Default: none. */
  readonly about?: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Whether names of files fit as well. */
  readonly files: boolean;
}

/** Things that have names of their own. */
export type NamedKind = "container" | "pod" | "image" | "server";

/** What `complete` asks for. Gives nothing if it cannot know. */
export type NamesOf = (kind: NamedKind, around: ServerWords) => Promise<readonly Candidate[]>;

/** The flags of the command line that say which gateway it is. */
export interface ServerWords {
  readonly server?: string | undefined;
  readonly "token-file"?: string | undefined;
}
