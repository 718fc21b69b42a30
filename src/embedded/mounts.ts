/** Finds and undoes mounts below a folder. */

import { readFileSync } from "node:fs";
import { run } from "./command.ts";

/**
 * Mount points below `folder` in the text of /proc/self/mountinfo (proc(5)), the last mounted
 * first, which is the order to unmount them in. A point mounted twice is there twice.
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

/** The mounts below `folder` now. */
export function currentMounts(folder: string): readonly string[] {
  return mountsBelow(folder, readFileSync("/proc/self/mountinfo", "latin1"));
}

/** Unmounts all that is mounted below `folder`. What is busy disappears from view, and ends with its last user. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const point of currentMounts(folder)) {
    await run(["umount", point]).catch(() => run(["umount", "--lazy", point]));
  }
}
