/** What a request asks of the node, in the terms of `--allow-host`. */
import type { HostWordName } from "../../grants.ts";

/** One thing that exceeds the level of the policy. */
export interface Ask {
  /** What the request does, for the refusal: `publishes port 8080 of the node`. */
  readonly detail: string;
  /** The host word that permits it; absent if only all of `host` does. */
  readonly word?: HostWordName;
  /** What follows the word: `8080`, `NET_ADMIN`, a path of the node. */
  readonly value?: string;
  /** A mount that the container cannot write to. */
  readonly readonly?: boolean;
  /** A path that the runtime creates if it is absent. */
  readonly creates?: boolean;
  /** What precedes the path in the field. */
  readonly prefix?: string;
  /** The member of the field that has the path, where the field may be written as a text alone. */
  readonly member?: string;
  /** A place below the field: a list's index, a map's key. */
  readonly at?: string | number;
  /** The normalized reference of an image that must be within `pull`, in place of a host word. */
  readonly reference?: string;
}

/** As in the flag: `port:8080`, `mount:/srv/data:ro`, `network`. */
export function wordOf({ word, value, readonly }: Ask): string | undefined {
  if (word === undefined || value === undefined) return word;
  return `${word}:${value}${readonly && word === "mount" ? ":ro" : ""}`;
}
