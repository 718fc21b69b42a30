/**
 * Error texts of runtimes. They repeat what a registry, a program in a container or a caller wrote, so they may have
 * any length.
 */

/** Longest such text that is matched against patterns or returned to a caller. */
export const maxRuntimeTextBytes = 4096;

/** Marks where a text was cut. */
export const cutMark = "... (cut) ...";

/**
 * Shortens a text over `maxBytes` to its beginning, a mark and its end. Errors start with the action and end with the
 * reason, and repeat the request in between. Never splits a character.
 */
export function cutText(text: string, maxBytes = maxRuntimeTextBytes): string {
  // A UTF-16 unit takes at most three bytes in UTF-8.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const tailBytes = Math.floor(maxBytes / 4);
  const end = characterAt(bytes, maxBytes - tailBytes);
  let start = bytes.length - tailBytes;
  while (isContinuation(bytes[start])) start++;
  return `${bytes.toString("utf8", 0, end)}${cutMark}${bytes.toString("utf8", start)}`;
}

/** Decodes UTF-8. Text over `maxBytes` is cut and ends in a mark. */
export function decodeText(bytes: Buffer, maxBytes: number): string {
  if (bytes.length <= maxBytes) return bytes.toString("utf8");
  return `${bytes.toString("utf8", 0, characterAt(bytes, maxBytes))}${cutMark}`;
}

/** The index where the character at `index` starts; `index` itself if the bytes are not UTF-8. */
function characterAt(bytes: Buffer, index: number): number {
  for (let start = index; start > index - 4; start--) if (!isContinuation(bytes[start])) return start;
  return index;
}

/** Bytes of the form 10xxxxxx continue a character, which has at most three of them. */
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
