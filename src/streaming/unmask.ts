/** Unmasks client data (RFC 6455, 5.3), in 4-byte words where that is faster. */

const wordBytes = 4;
/** Creating a view of fewer bytes costs more than it saves. */
const minWordsBytes = 128;
const keyBytes = new Uint8Array(wordBytes);
const keyWord = new Int32Array(keyBytes.buffer);

/** Unmasks bytes in place. `offset` is their position in the frame's payload. */
export function unmask(bytes: Buffer, key: Buffer, offset: number): void {
  if (bytes.length < minWordsBytes) {
    unmaskBytes(bytes, key, offset);
    return;
  }
  // Words must be aligned in the underlying memory.
  const start = -bytes.byteOffset & (wordBytes - 1);
  const count = Math.floor((bytes.length - start) / wordBytes);
  const end = start + count * wordBytes;
  for (let index = 0; index < wordBytes; index++) {
    keyBytes[index] = key[(offset + start + index) % wordBytes] ?? 0;
  }
  const word = keyWord[0] ?? 0;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, count);
  // A plain index loop: an iterator is many times slower.
  for (let index = 0; index < count; index++) words[index] = (words[index] ?? 0) ^ word;
  unmaskBytes(bytes.subarray(0, start), key, offset);
  unmaskBytes(bytes.subarray(end), key, offset + end);
}

function unmaskBytes(bytes: Buffer, key: Buffer, offset: number): void {
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = (bytes[index] ?? 0) ^ (key[(offset + index) % wordBytes] ?? 0);
  }
}
