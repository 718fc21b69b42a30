/** Finds where the lines begin that are unfinished at a place of a log. */
import type { LogChain } from "./log-chain.ts";
import type { LogFile, Place } from "./log-file.ts";
import { type LogStream, parseRecord } from "./log-record.ts";

const newline = 10;
const blockBytes = 64 * 1024;
/** A stream without a record in this stretch has no unfinished line, as far as one can tell. */
const usualBytes = 256 * 1024;
/** No line of a stream that has begun is longer. */
const maxBytes = 1280 * 1024;

/**
 * Where reading has to begin, so that all lines that end behind `place` are whole: `place` itself, or the beginning of
 * the first line that is unfinished there. `place` is the beginning of a record.
 */
export async function lookBack(chain: LogChain, place: Place): Promise<Place> {
  const search = new Search(place);
  let { file, offset } = place;
  while (!search.isDone) {
    if (offset === 0) {
      const before = await chain.before(file);
      if (before === undefined) break;
      // Its end is unknown until it was read.
      if (before.source.isSequential) return { file: before, offset: 0 };
      file = before;
      offset = await before.source.size();
      continue;
    }
    if (file.source.isSequential) return { file, offset: 0 };
    offset = await searchBlock(search, file, offset);
  }
  return search.earliest;
}

/** Looks at the records of a block that ends at `end`, from the last to the first; returns where the first begins. */
async function searchBlock(search: Search, file: LogFile, end: number): Promise<number> {
  for (let size = blockBytes; ; size *= 2) {
    const start = Math.max(0, end - size);
    const block = await file.source.read(start, end - start);
    // Unless the file begins here, the first record has lost its beginning.
    const first = start === 0 ? 0 : block.indexOf(newline) + 1;
    if ((first === 0 && start !== 0) || first >= block.length) {
      if (start === 0 || size > maxBytes) return start;
      continue;
    }
    let recordEnd = block[block.length - 1] === newline ? block.length - 1 : block.length;
    while (recordEnd > first && !search.isDone) {
      const begin = Math.max(first, block.lastIndexOf(newline, recordEnd - 1) + 1);
      search.note(
        parseRecord(block, begin, recordEnd),
        { file, offset: start + begin },
        recordEnd - begin + 1,
      );
      recordEnd = begin - 1;
    }
    return start + first;
  }
}

/** What has been found so far. */
class Search {
  readonly #settled = new Set<LogStream>();
  /** Where the unfinished line of a stream begins, as far as it was followed. */
  readonly #begins = new Map<LogStream, Place>();
  #bytes = 0;
  earliest: Place;

  constructor(place: Place) {
    this.earliest = place;
  }

  get isDone(): boolean {
    const isFollowing = [...this.#begins.keys()].some((stream) => !this.#settled.has(stream));
    return this.#settled.size === 2 || this.#bytes > (isFollowing ? maxBytes : usualBytes);
  }

  note(
    { stream, isPartial }: { readonly stream: LogStream | undefined; readonly isPartial: boolean },
    at: Place,
    bytes: number,
  ): void {
    this.#bytes += bytes;
    if (stream === undefined || this.#settled.has(stream)) return;
    if (!isPartial) {
      this.#settled.add(stream);
      return;
    }
    this.#begins.set(stream, at);
    this.earliest = at;
  }
}
