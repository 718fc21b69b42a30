/** Writes selected items of a list as JSON, in a given order, directly from the wire. */
import type { BufferPool } from "./buffer-pool.ts";
import { canonicalize } from "./canonicalize.ts";
import { notCanonical, readFrom, readNothing } from "./json-fields.ts";
import type { Items } from "./scan.ts";
import { FIRST_GUESS, SMALL, type Writer, type Written, writeInto } from "./write-json.ts";

export interface WriteListOptions {
  readonly pool: BufferPool;
  /** Indexes of the items to write, in order; default: all in their original order. */
  readonly order?: ArrayLike<number>;
  /** Written before the items, such as `{"containers":[`. */
  readonly prefix: string;
  /** Written between two items; default a comma. */
  readonly separator?: string;
  /** Written after the items, such as `]}`. */
  readonly suffix: string;
}

/**
 * Writes items between `prefix` and `suffix`, each with `writer`.
 *
 * @throws {Malformed} When an item is not protobuf.
 * @throws {OutputTooLarge} When the text would exceed the pool's `maxBufferBytes`.
 */
export function writeList(writer: Writer, items: Items, options: WriteListOptions): Written {
  const { pool, order } = options;
  const prefix = Buffer.from(options.prefix);
  const separator = Buffer.from(options.separator ?? ",");
  const suffix = Buffer.from(options.suffix);
  const count = order === undefined ? items.length : order.length;
  return writeInto(pool, SMALL + bytesOf(items, order) * FIRST_GUESS, (d) => {
    const output = new Uint8Array(d.buffer, d.byteOffset, d.byteLength);
    output.set(prefix);
    let w = prefix.length;
    try {
      readFrom(items.wire);
      for (let i = 0; i < count; i++) {
        if (i > 0) {
          output.set(separator, w);
          w += separator.length;
        }
        w = writeItem(writer, items, { index: order === undefined ? i : (order[i] as number), d, w });
      }
    } finally {
      readNothing();
    }
    output.set(suffix, w);
    return w + suffix.length;
  });
}

/** Total size of the items in `order`, so that a short page of a long list needs little memory. */
function bytesOf({ wire, ranges }: Items, order: ArrayLike<number> | undefined): number {
  if (order === undefined) return wire.length;
  let bytes = 0;
  for (let i = 0; i < order.length; i++) {
    const at = (order[i] as number) * 2;
    bytes += (ranges[at + 1] ?? 0) - (ranges[at] ?? 0);
  }
  return bytes;
}

function writeItem(writer: Writer, items: Items, to: { index: number; d: DataView; w: number }): number {
  const { wire, ranges } = items;
  const start = ranges[to.index * 2];
  const end = ranges[to.index * 2 + 1];
  if (start === undefined || end === undefined)
    throw new TypeError(`Cannot find item: ${to.index} of ${items.length}`);
  try {
    return writer.write(wire, start, end, to.d, to.w);
  } catch (error) {
    if (error !== notCanonical) throw error;
    const canonical = canonicalize(wire.subarray(start, end), writer.message, writer.descriptors);
    readFrom(canonical);
    const w = writer.write(canonical, 0, canonical.length, to.d, to.w);
    readFrom(wire);
    return w;
  }
}
