/**
 * Writes SPDY header blocks without a compressor.
 *
 * One zlib stream with SPDY's dictionary spans all header blocks of a connection. Stored deflate blocks are valid in it
 * and never reference the dictionary, so only its checksum must be right.
 */

/**
 * Start of a zlib stream with a preset dictionary (RFC 1950): CMF, FLG with FDICT, Adler-32 of the SPDY/3 dictionary.
 */
const zlibHeader = Buffer.from([0x78, 0x20, 0xe3, 0xc6, 0xa7, 0xc2]);
/**
 * An empty stored block, which flushes. Without it, the peer's decompressor holds the block back and fails at the next.
 */
const flush = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
const maxStoredBytes = 0xffff;

/** Returns a writer for the header blocks of one connection. Call it in the order in which they are sent. */
export function createHeaderWriter(): (headers: { readonly [name: string]: string }) => Buffer {
  let begun = false;
  return (headers) => {
    const block = nameValueBlock(headers);
    if (block.length > maxStoredBytes) throw new RangeError(`Header block of ${block.length} bytes`);
    const stored = Buffer.allocUnsafe(5);
    stored[0] = 0;
    stored.writeUInt16LE(block.length, 1);
    stored.writeUInt16LE(~block.length & maxStoredBytes, 3);
    const parts = begun ? [stored, block, flush] : [zlibHeader, stored, block, flush];
    begun = true;
    return Buffer.concat(parts);
  };
}

/** SPDY/3, 2.6.10: a count, then length-prefixed names and values. Names are lower case. */
function nameValueBlock(headers: { readonly [name: string]: string }): Buffer {
  const entries = Object.entries(headers);
  const parts = [word(entries.length)];
  for (const [name, value] of entries) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text, "utf8");
      parts.push(word(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function word(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
