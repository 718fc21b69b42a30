/** Finds and removes mounts below a folder. */

import { readFileSync } from "node:fs";
import { run } from "./command.ts";

/**
 * Returns the mount points below `folder` in the text of /proc/self/mountinfo (proc(5)), most recent first, which is
 * the order to unmount them in. A point mounted twice appears twice.
 */
export function mountsBelow(folder: string, mountinfo: string): readonly string[] {
  return mountinfo
    .split("\n")
    .flatMap((line) => line.split(" ")[4] ?? [])
    .map((field) => field.replace(/\\([0-7]{3})/g, (_, octal: string) => byteText(octal)))
    .map((latin1) => Buffer.from(latin1, "latin1").toString())
    .filter((point) => point.startsWith(`${folder}/`))
    .reverse();
}

function byteText(octal: string): string {
  return String.fromCharCode(Number.parseInt(octal, 8));
}

/** The current mounts below `folder`. */
export function currentMounts(folder: string): readonly string[] {
  return mountsBelow(folder, readFileSync("/proc/self/mountinfo", "latin1"));
}

/** Unmounts everything below `folder`. A busy mount is detached lazily and ends with its last user. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const point of currentMounts(folder)) {
    await run(["umount", point]).catch(() => run(["umount", "--lazy", point]));
  }
}
