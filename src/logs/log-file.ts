/** One file of a container's log, open for reading, and what identifies it across renames, copies and compression. */
import { createHash } from "node:crypto";
import { type ByteSource, gzipSource, plainSource } from "./byte-source.ts";
import { type LogPlace, openLogFile } from "./log-place.ts";
import { parseRecord } from "./log-record.ts";
import type { LogTime } from "./log-time.ts";

/**
 * The identity of a log file. The first record alone identifies the content: dockerd's files reuse an inode at once,
 * and a compressed or copied file has another one. Device and inode decide between two files with the same content.
 */
export interface FileKey {
  readonly device: number;
  readonly inode: number;
  /** 16 hexadecimal digits: a hash of the first record. */
  readonly firstRecord: string;
}

/** A place in a log: the offset of a byte in the unpacked file. */
export interface Place {
  readonly file: LogFile;
  readonly offset: number;
}

/** Bytes of the first record that are compared. Its time, with nanoseconds, is among them. */
const headBytes = 512;
const newline = 10;

export class LogFile {
  readonly device: number;
  readonly inode: number;
  readonly name: string;
  readonly source: ByteSource;
  #head: Buffer | undefined;
  #key: FileKey | undefined;

  private constructor(init: { device: number; inode: number; name: string; source: ByteSource }) {
    this.device = init.device;
    this.inode = init.inode;
    this.name = init.name;
    this.source = init.source;
  }

  /** Undefined if it does not exist. @throws {GatewayError} `log_not_readable` */
  static async open(place: LogPlace, name: string): Promise<LogFile | undefined> {
    const file = await openLogFile(place, name);
    if (file === undefined) return undefined;
    const { dev, ino } = await file.stat();
    const source = name.endsWith(".gz") ? gzipSource(file, name) : plainSource(file);
    return new LogFile({ device: dev, inode: ino, name, source });
  }

  isSameAs({ dev, ino }: { readonly dev: number; readonly ino: number }): boolean {
    return dev === this.device && ino === this.inode;
  }

  /** The beginning of the first record; undefined until that is whole. */
  async #readHead(): Promise<Buffer | undefined> {
    const start = await this.source.read(0, headBytes);
    const end = start.indexOf(newline);
    if (end === -1 && start.length < headBytes) return undefined;
    // A copy: the rest of the buffer is not needed.
    return Buffer.from(end === -1 ? start : start.subarray(0, end));
  }

  /** Undefined while the file has no record. */
  async key(): Promise<FileKey | undefined> {
    if (this.#key !== undefined) return this.#key;
    this.#head ??= await this.#readHead();
    if (this.#head === undefined) return undefined;
    const firstRecord = createHash("sha256").update(this.#head).digest("hex").slice(0, 16);
    this.#key = { device: this.device, inode: this.inode, firstRecord };
    return this.#key;
  }

  /** The key, where it has been read before. */
  get knownKey(): FileKey | undefined {
    return this.#key;
  }

  /** The time of the first record; undefined if there is none in a known format. */
  async firstTime(): Promise<LogTime | undefined> {
    this.#head ??= await this.#readHead();
    if (this.#head === undefined) return undefined;
    const { time } = parseRecord(this.#head, 0, this.#head.length);
    if (time !== undefined || this.#head.length < headBytes) return time;
    // dockerd writes the time behind the text.
    const start = await this.source.read(0, maxHeadBytes);
    const end = start.indexOf(newline);
    return end === -1 ? undefined : parseRecord(start, 0, end).time;
  }

  /** Whether the file was cut and written anew since `offset` bytes of it were read. */
  async wasTruncated(offset: number): Promise<boolean> {
    if (this.source.isSequential) return false;
    if ((await this.source.size()) < offset) return true;
    if (this.#head === undefined) return false;
    const start = await this.source.read(0, this.#head.length);
    return !start.equals(this.#head);
  }
}

/** More than dockerd writes for 16,384 bytes, each of them escaped. */
const maxHeadBytes = 128 * 1024;
