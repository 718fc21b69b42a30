/**
 * What a runtime says in words when something went wrong. It repeats what a registry, a program in a container or
 * a caller wrote, so it may have any length.
 */

/** The longest such text that is matched against patterns or answered. */
export const maxRuntimeTextBytes = 4096;

/** Stands where a text was cut. */
export const cutMark = "... (cut) ...";

/**
 * The text, or its beginning, a mark and its end when it is longer than `maxBytes`: errors say first what was done
 * and last why it failed, and repeat in between what was asked for. No character is cut in two.
 */
export function cutText(text: string, maxBytes = maxRuntimeTextBytes): string {
  // A UTF-16 unit has three bytes in UTF-8 at most.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const tailBytes = Math.floor(maxBytes / 4);
  const end = characterAt(bytes, maxBytes - tailBytes);
  let start = bytes.length - tailBytes;
  while (isContinuation(bytes[start])) start++;
  return `${bytes.toString("utf8", 0, end)}${cutMark}${bytes.toString("utf8", start)}`;
}

/** UTF-8 as text, or its beginning and a mark when there are more than `maxBytes`. */
export function decodeText(bytes: Buffer, maxBytes: number): string {
  if (bytes.length <= maxBytes) return bytes.toString("utf8");
  return `${bytes.toString("utf8", 0, characterAt(bytes, maxBytes))}${cutMark}`;
}

/** Where the character begins that the byte at an index is part of; the index itself in what is no UTF-8. */
function characterAt(bytes: Buffer, index: number): number {
  for (let start = index; start > index - 4; start--) if (!isContinuation(bytes[start])) return start;
  return index;
}

/** Bytes of the form 10xxxxxx continue a character; none has more than three of them. */
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
