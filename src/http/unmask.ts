/**
 * Unmasking by words, for `ws`.
 *
 * Clients mask what they send (RFC 6455, 5.3). `ws` undoes it with `http.websocketUnmask`, which Node has
 * from 26.12 on; without it byte by byte, which was the most that a session's input cost. It looks for
 * Node's functions once, while it is loaded: until then it is lent these, with the meaning of Node's.
 */
import http from "node:http";

const wordBytes = 4;
/** A view of fewer bytes takes longer to make than it saves. */
const worthWords = 128;
const keyBytes = new Uint8Array(wordBytes);
const key = new Int32Array(keyBytes.buffer);

/** XORs bytes with the mask's four, over and over, in place. */
export function websocketUnmask(buffer: Buffer, mask: Buffer): void {
  if (buffer.length < worthWords) {
    unmaskBytes(buffer, mask, { from: 0, to: buffer.length });
    return;
  }
  // Words lie at multiples of their size in the memory below.
  const start = -buffer.byteOffset & (wordBytes - 1);
  const end = start + ((buffer.length - start) & -wordBytes);
  for (let index = 0; index < wordBytes; index++) keyBytes[index] = mask[(start + index) % wordBytes] ?? 0;
  const word = key[0] ?? 0;
  const words = new Int32Array(buffer.buffer, buffer.byteOffset + start, (end - start) / wordBytes);
  // By index: an iterator takes many times as long.
  for (let index = 0; index < words.length; index++) words[index] = (words[index] ?? 0) ^ word;
  unmaskBytes(buffer, mask, { from: 0, to: start });
  unmaskBytes(buffer, mask, { from: end, to: buffer.length });
}

function unmaskBytes(
  buffer: Buffer,
  mask: Buffer,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  for (let index = from; index < to; index++) {
    buffer[index] = (buffer[index] ?? 0) ^ (mask[index % wordBytes] ?? 0);
  }
}

/** Writes the first `length` bytes of `source`, masked, to `output` from `offset` on. */
export function websocketMask(...[source, mask, output, offset, length]: MaskArguments): void {
  output.set(source.subarray(0, length), offset);
  websocketUnmask(output.subarray(offset, offset + length), mask);
}
type MaskArguments = [source: Buffer, mask: Buffer, output: Buffer, offset: number, length: number];

const lent = "websocketUnmask" in http ? [] : Object.entries({ websocketMask, websocketUnmask });
for (const [name, value] of lent) Reflect.set(http, name, value);

/** To be called when `ws` is loaded: Node's module is as it was again. */
export function takeBack(): void {
  for (const [name] of lent) Reflect.deleteProperty(http, name);
}
