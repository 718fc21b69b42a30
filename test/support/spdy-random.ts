/** Random bytes that are reproducible from a seed. */
export interface Random {
  readonly seed: number;
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number;
  bytes(length: number): Buffer;
  pick<Item>(items: readonly Item[]): Item;
}

/** Implements Mulberry32. */
export function createRandom(seed: number = Date.now() >>> 0): Random {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  return {
    seed,
    below,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error("Cannot pick one of none");
      return item;
    },
  };
}

/** Bytes that a server should not send: noise, and almost valid frames. */
export function hostileBytes(random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let left = 1 + random.below(6); left > 0; left--) parts.push(hostilePart(random));
  return Buffer.concat(parts);
}

function hostilePart(random: Random): Buffer {
  const noise = random.bytes(random.below(40));
  const streamId = random.pick([0, 1, 3, 5, 7, 2, 0x7fffffff]);
  const length = random.pick([noise.length, 0, 1, 65_536, 65_537, 0xffffff, random.below(100)]);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(((random.below(4) << 24) | length) >>> 0, 4);
  switch (random.below(4)) {
    case 0:
      return noise;
    case 1: // A data frame with a possibly wrong length.
      head.writeUInt32BE(streamId, 0);
      return Buffer.concat([head, noise]);
    case 2: // A control frame with a possibly wrong length.
      head.writeUInt16BE(0x8003, 0);
      head.writeUInt16BE(random.below(12), 2);
      return Buffer.concat([head, noise]);
    default: // A complete control frame for an arbitrary stream.
      head.writeUInt16BE(random.pick([0x8003, 0x8003, 0x8003, 0x8002]), 0);
      head.writeUInt16BE(1 + random.below(10), 2);
      head.writeUInt32BE(8, 4);
      return Buffer.concat([head, Buffer.from([0, 0, 0, streamId & 255, 0, 0, 0, random.below(9)])]);
  }
}

/** Splits bytes into chunks of random size. */
export function chunksOf(random: Random, bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(random.pick([1, 3, 20, 2000]));
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}
