/**
 * The file of the audit log: appends lines, and rotates.
 *
 * A line is handed to the kernel with one write(2) before the function returns, but not synced to the disk. So it
 * survives the end of this process, however it comes, and not a power failure. To sync each line would make every
 * request wait for the disk, and a power failure ends the pods as well. Who needs more sends the events elsewhere.
 */
import { closeSync, constants, fstatSync, readSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { StartError } from "../errors.ts";
import { openOwnFile } from "../files/trusted-file.ts";
import { makeBelowTrusted } from "../files/trusted-folder.ts";
import { reasonOf, resolveTrusted } from "../files/trusted-path.ts";
import { rotateAudit } from "./rotate-audit.ts";

export interface AuditFileLimits {
  /** Size at which the file is rotated, in bytes; 0: never. */
  readonly auditMaxSizeBytes: number;
  /** Files to keep, including the one being written. */
  readonly auditMaxFiles: number;
}

export interface AuditFileOptions extends AuditFileLimits {
  readonly path: string;
  /** Reports a rotation that failed. The file is then continued. */
  readonly warn: (message: string, error: unknown) => void;
}

export interface AuditFile {
  /** Appends a line. @throws {Error} if it, or a part of it, was not written. */
  append(line: string): void;
  close(): void;
}

/** An open file. */
interface Opened {
  readonly descriptor: number;
  readonly inode: number;
  readonly device: number;
  size: number;
  /** It ends in the middle of a line: the process was killed, or the disk was full. */
  isTorn: boolean;
}

const { O_APPEND, O_RDWR } = constants;
const newline = 10;

/** @throws {StartError} if the file cannot be opened, or others can write to it. */
export async function openAuditFile({ path, warn, ...limits }: AuditFileOptions): Promise<AuditFile> {
  let real: string;
  let file: Opened | undefined;
  try {
    const { path: found, missing } = resolveTrusted(
      join(await makeBelowTrusted(dirname(path)), basename(path)),
    );
    real = join(found, ...missing);
    file = openFile(real);
  } catch (error) {
    throw new StartError(`--audit-file: cannot write ${path}: ${reasonOf(error)}`, { cause: error });
  }

  function close(): void {
    if (file !== undefined) closeSync(file.descriptor);
    file = undefined;
  }

  /** Others may rotate the file, too: then its name leads to another file, or nowhere. */
  function current(): Opened {
    const stats = statSync(real, { throwIfNoEntry: false });
    if (file !== undefined && stats !== undefined && stats.ino === file.inode && stats.dev === file.device) {
      file.size = stats.size;
      return file;
    }
    close();
    file = openFile(real);
    return file;
  }

  function rotate(): Opened {
    try {
      rotateAudit(real, limits.auditMaxFiles);
    } catch (error) {
      warn(`Cannot rotate the audit log ${real}: ${reasonOf(error)}`, error);
    }
    return current();
  }

  return {
    append(line) {
      let target = current();
      const { auditMaxSizeBytes: max } = limits;
      if (max > 0 && target.size > 0 && target.size + Buffer.byteLength(line) >= max) target = rotate();
      writeLine(target, line);
    },
    close,
  };
}

function openFile(path: string): Opened {
  const descriptor = openOwnFile(path, O_RDWR | O_APPEND);
  const { ino, dev, size } = fstatSync(descriptor);
  const last = Buffer.alloc(1);
  const isTorn = size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== newline;
  return { descriptor, inode: ino, device: dev, size, isTorn };
}

/** A line that was cut off stays a line of its own, which readers skip, and does not spoil the next. */
function writeLine(file: Opened, line: string): void {
  const bytes = Buffer.from(`${file.isTorn ? "\n" : ""}${line}\n`);
  let written = 0;
  try {
    while (written < bytes.length) written += writeSync(file.descriptor, bytes, written);
  } finally {
    file.size += written;
    if (written > 0) file.isTorn = written < bytes.length;
  }
}
