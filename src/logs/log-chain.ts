/**
 * The files of one log in their order: those that were rotated away, and the one that is being written.
 *
 * Rotated files are beside it, as `NAME.YYYYMMDD-HHMMSS` (kubelet) or `NAME.N` (dockerd, logrotate), with or without
 * `.gz`.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type FileKey, LogFile } from "./log-file.ts";
import { absent, type LogPlace } from "./log-place.ts";
import { compareTimes, type LogTime } from "./log-time.ts";

/** Names of a log's files, from the oldest to the one that is being written. */
export function orderNames(name: string, all: readonly string[]): readonly string[] {
  const names = new Set(all);
  const rotated = all.flatMap((other) => {
    const rank = rankOf(name, other);
    // While a file is being compressed, both exist, and the plain one is whole.
    if (rank === undefined || (other.endsWith(".gz") && names.has(other.slice(0, -3)))) return [];
    return [{ name: other, rank }];
  });
  rotated.sort((a, b) => a.rank.number - b.rank.number || (a.rank.text < b.rank.text ? -1 : 1));
  return [...rotated.map((one) => one.name), ...(names.has(name) ? [name] : [])];
}

/** What a rotated file is ordered by: numbers count down to the newest, times go up. */
function rankOf(name: string, other: string): { readonly number: number; readonly text: string } | undefined {
  if (!other.startsWith(`${name}.`)) return undefined;
  const suffix = other.slice(name.length + 1);
  const [, count] = /^(\d{1,7})(?:\.gz)?$/.exec(suffix) ?? [];
  if (count !== undefined) return { number: -Number(count), text: "" };
  const [, time, more = "0"] = /^(\d{8}-\d{6})(?:[-.](\d{1,4}))?(?:\.gz)?$/.exec(suffix) ?? [];
  return time === undefined ? undefined : { number: 0, text: `${time}.${more.padStart(4, "0")}` };
}

/** Files that one log keeps open at a time, besides the one that is read. */
const maxOpen = 16;
/** Looks at the files of a log that never stops changing. */
const maxLooks = 20;

export class LogChain {
  readonly place: LogPlace;
  /** Those that are open, the one that was used last at the end. A renamed file keeps its descriptor. */
  readonly #used = new Set<LogFile>();
  readonly #forgotten: LogFile[] = [];

  constructor(place: LogPlace) {
    this.place = place;
  }

  /** From the oldest to the live one. */
  async names(): Promise<readonly string[]> {
    const entries = await readdir(this.place.folder, { withFileTypes: true }).catch(absent);
    if (entries === undefined) return [];
    return orderNames(
      this.place.name,
      entries.filter((entry) => entry.isFile()).map((entry) => entry.name),
    );
  }

  /** Opens a file, or returns the one that is open. Undefined if it has gone. */
  async open(name: string): Promise<LogFile | undefined> {
    const stats = await this.#statOf(name);
    if (stats === undefined) return undefined;
    for (const file of this.#used) {
      if (!file.isSameAs(stats) || file.source.isSequential !== name.endsWith(".gz")) continue;
      this.#used.delete(file);
      this.#used.add(file);
      return file;
    }
    const file = await LogFile.open(this.place, name);
    if (file !== undefined) this.#used.add(file);
    return file;
  }

  /** Closes files that were not used for the longest time, but not those in `kept`. */
  async trim(kept: readonly LogFile[]): Promise<void> {
    for (const file of this.#used) {
      if (this.#used.size <= maxOpen) return;
      if (!kept.includes(file)) await this.release(file);
    }
  }

  /** Closes a file that is not read any more. */
  async release(file: LogFile): Promise<void> {
    if (this.#used.delete(file)) await file.source.close();
  }

  /** Opens a file anew when it is asked for again. The descriptor stays open until `close`. */
  forget(file: LogFile): void {
    if (this.#used.delete(file)) this.#forgotten.push(file);
  }

  async close(): Promise<void> {
    const files = [...this.#used, ...this.#forgotten];
    this.#used.clear();
    this.#forgotten.length = 0;
    await Promise.all(files.map((file) => file.source.close()));
  }

  async #statOf(name: string) {
    return await stat(join(this.place.folder, name)).catch(absent);
  }

  /** Whether `file` is the one that is being written. */
  async isLive(file: LogFile): Promise<boolean> {
    const stats = await this.#statOf(this.place.name);
    return stats !== undefined && file.isSameAs(stats);
  }

  /** The oldest file; undefined if there is none. */
  async first(): Promise<LogFile | undefined> {
    return await this.#settled((names) => this.#firstOpen(names));
  }

  /** The newest file; undefined if there is none. */
  async last(): Promise<LogFile | undefined> {
    return await this.#settled((names) => this.#firstOpen(names.toReversed()));
  }

  /** The file with this identity; undefined if it is gone. */
  async find(key: FileKey): Promise<LogFile | undefined> {
    return await this.#settled((names) => this.#find(key, names.toReversed()));
  }

  async #find(key: FileKey, names: readonly string[]): Promise<LogFile | undefined> {
    for (const name of names) {
      const stats = await this.#statOf(name);
      if (stats?.ino !== key.inode || stats.dev !== key.device) continue;
      const file = await this.open(name);
      if ((await file?.key())?.firstRecord === key.firstRecord) return file;
    }
    for (const name of names) {
      const file = await this.open(name);
      if (file === undefined) continue;
      if ((await file.key())?.firstRecord === key.firstRecord) return file;
      await this.trim([]);
    }
    return undefined;
  }

  /**
   * Looks at the files, and looks again if one was renamed, compressed or removed meanwhile: between listing the names
   * and opening a file, `look` may have passed over one.
   */
  async #settled<T>(look: (names: readonly string[]) => Promise<T>): Promise<T> {
    let before = await this.#listing();
    for (let times = 1; ; times++) {
      const found = await look(before.names);
      const after = await this.#listing();
      if (after.identity === before.identity || times === maxLooks) return found;
      before = after;
    }
  }

  async #listing(): Promise<{ readonly names: readonly string[]; readonly identity: string }> {
    const names = await this.names();
    const inodes = await Promise.all(names.map(async (name) => (await this.#statOf(name))?.ino));
    return { names, identity: names.map((name, index) => `${name} ${inodes[index]}`).join("/") };
  }

  /** The place of `file` among `names`; -1 if it is gone. */
  async #indexOf(file: LogFile, names: readonly string[]): Promise<number> {
    for (let index = names.length - 1; index >= 0; index--) {
      const stats = await this.#statOf(names[index] ?? "");
      if (stats !== undefined && file.isSameAs(stats)) return index;
    }
    const key = await file.key();
    if (key === undefined) return -1;
    for (let index = names.length - 1; index >= 0; index--) {
      const other = await this.open(names[index] ?? "");
      if (other !== undefined && (await other.key())?.firstRecord === key.firstRecord) return index;
    }
    return -1;
  }

  /**
   * The file behind `file`; undefined if that is the last one. When `file` is gone, the oldest one that begins behind
   * `lastTime`.
   */
  async after(file: LogFile, lastTime: LogTime | undefined): Promise<LogFile | undefined> {
    if (await this.isLive(file)) return undefined;
    return await this.#settled((names) => this.#after(file, lastTime, names));
  }

  async #after(
    file: LogFile,
    lastTime: LogTime | undefined,
    names: readonly string[],
  ): Promise<LogFile | undefined> {
    const index = await this.#indexOf(file, names);
    if (index !== -1) return await this.#firstOpen(names.slice(index + 1));
    for (const name of names) {
      const next = await this.open(name);
      const first = await next?.firstTime();
      if (next === undefined || next === file || first === undefined) continue;
      if (lastTime === undefined || compareTimes(first, lastTime) >= 0) return next;
    }
    return undefined;
  }

  /** The file before `file`; undefined if that is the oldest one. */
  async before(file: LogFile): Promise<LogFile | undefined> {
    return await this.#settled(async (names) => {
      const index = await this.#indexOf(file, names);
      return index <= 0 ? undefined : await this.#firstOpen(names.slice(0, index).toReversed());
    });
  }

  /** Where the content of a truncated file is now, at an offset that was read; undefined if it is lost. */
  async copyOf(file: LogFile, offset: number): Promise<LogFile | undefined> {
    const key = file.knownKey;
    if (key === undefined) return undefined;
    return await this.#settled(async (names) => {
      for (const name of names.toReversed()) {
        const other = await this.open(name);
        if (other === undefined || other === file) continue;
        if ((await other.key())?.firstRecord !== key.firstRecord) continue;
        if ((await other.source.size()) >= offset) return other;
      }
      return undefined;
    });
  }

  async #firstOpen(names: readonly string[]): Promise<LogFile | undefined> {
    for (const name of names) {
      const file = await this.open(name);
      if (file !== undefined) return file;
    }
    return undefined;
  }
}
