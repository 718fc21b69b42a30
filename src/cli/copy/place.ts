/** The two places of a copy. */
import { posix } from "node:path";
import { StartError } from "../../errors.ts";

export type Place =
  /** A tar archive on stdin or stdout. */
  | { readonly kind: "stream" }
  | {
      readonly kind: "local";
      readonly path: string;
      readonly isContents: boolean;
      readonly isFolder: boolean;
    }
  | RemotePlace;

export interface RemotePlace {
  readonly kind: "remote";
  readonly container: string;
  /** Absolute, without `.` and `..`, and without a slash at its end. */
  readonly path: string;
  /** It ends with `/.`: what is in the folder, without the folder. */
  readonly isContents: boolean;
  /** It ends with a slash: it must be a folder. */
  readonly isFolder: boolean;
}

/**
 * `CONTAINER:PATH` is in a container, `-` a stream, anything else on this machine: also what begins with `/` or `.`, so that
 * `./a:b` names a file with a colon. Paths in a container begin at its root.
 *
 * @throws {StartError}
 */
export function placeOf(text: string): Place {
  if (text === "-") return { kind: "stream" };
  if (text === "") throw new StartError('"": expected a path, CONTAINER:PATH or -');
  const colon = text.indexOf(":");
  if (colon === -1 || /^[./]/.test(text)) return { kind: "local", path: text, ...endOf(text) };
  const container = text.slice(0, colon);
  const path = text.slice(colon + 1);
  if (container === "" || path === "") throw new StartError(`${text}: write CONTAINER:PATH`);
  if (path.includes("\0")) throw new StartError("A path has no NUL characters");
  const whole = posix.resolve("/", path);
  const end = endOf(path);
  return { kind: "remote", container, path: whole, ...end, isContents: end.isContents || whole === "/" };
}

const endOf = (path: string) => ({
  isContents: /(^|\/)\.$/.test(path),
  isFolder: /(^|\/)\.{0,2}$/.test(path),
});
