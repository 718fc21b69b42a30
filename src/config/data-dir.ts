/** Where a gateway keeps its data if nobody says so. */
import { isAbsolute, join } from "node:path";
import { StartError } from "../errors.ts";

export interface DataDirSurroundings {
  readonly env: { readonly [name: string]: string | undefined };
  /** Root (0) has a different one. */
  readonly uid?: number | undefined;
}

/** The system folder for root; for other users, as in the XDG base directory specification. */
export function defaultDataDir({ env, uid }: DataDirSurroundings): string {
  if (uid === 0) return "/var/lib/crest";
  // The specification says to ignore a relative XDG_STATE_HOME.
  if (env.XDG_STATE_HOME && isAbsolute(env.XDG_STATE_HOME)) return join(env.XDG_STATE_HOME, "crest");
  if (env.HOME && isAbsolute(env.HOME)) return join(env.HOME, ".local", "state", "crest");
  throw new StartError("--data-dir: no default without HOME, write --data-dir=/path");
}
