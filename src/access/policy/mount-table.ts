/** What is mounted on the node, as far as this process sees it. */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { isBelow } from "../../files/trusted-path.ts";

/** A place in a file system: two paths with the same place are the same folder, whatever is mounted where. */
export interface Place {
  /** The file system: `8:1`. */
  readonly device: string;
  /** The path within it. */
  readonly path: string;
  /** `ext4`, `proc`. */
  readonly type: string;
  /** The path at which it is mounted. */
  readonly mountPoint: string;
}

export interface MountTable {
  /** Where a real path leads. */
  placeOf(path: string): Place | undefined;
  /** What is mounted in a folder, at any depth. */
  below(folder: string): readonly Place[];
}

/** Reads the table now. Empty on a system without `/proc/self/mountinfo`. */
export function readMountTable(): MountTable {
  try {
    return parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch {
    return parseMounts("");
  }
}

/** Parses the text of `/proc/self/mountinfo`. */
export function parseMounts(text: string): MountTable {
  const mounts: readonly Place[] = text.split("\n").flatMap((line) => {
    const [, , device, path, mountPoint, ...rest] = line.split(" ");
    const type = rest[rest.indexOf("-") + 1];
    if (device === undefined || path === undefined || mountPoint === undefined || type === undefined)
      return [];
    return [{ device, path: unescaped(path), type, mountPoint: unescaped(mountPoint) }];
  });
  return {
    placeOf(path) {
      // A later mount hides an earlier one with the same mount point.
      const found = mounts
        .filter(({ mountPoint }) => isBelow(path, mountPoint))
        .reduce<Place | undefined>(
          (best, one) => (best && best.mountPoint.length > one.mountPoint.length ? best : one),
          undefined,
        );
      return found && { ...found, path: posix.join(found.path, posix.relative(found.mountPoint, path)) };
    },
    below: (folder) =>
      mounts.filter(({ mountPoint }) => mountPoint !== folder && isBelow(mountPoint, folder)),
  };
}

/** Whether one place contains the other. */
export const overlap = (one: Place, other: Place): boolean =>
  one.device === other.device && (isBelow(one.path, other.path) || isBelow(other.path, one.path));

/** The kernel writes spaces, tabs, line breaks and backslashes in octal. */
const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
