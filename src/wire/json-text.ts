/**
 * Converts text from the wire to JSON without creating strings.
 *
 * Output goes through a DataView, which throws RangeError for anything that does not fit. The caller then retries with
 * a larger buffer, so no text is ever silently cut.
 */

/** Number of broken UTF-8 sequences replaced so far; callers compare before and after. */
export let replaced = 0;

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const HEX = new TextEncoder().encode("0123456789abcdef");

/** The escape letter in JSON for control characters that have one, else 0. */
const SHORT = new Uint8Array(32);
SHORT[8] = 0x62;
SHORT[9] = 0x74;
SHORT[10] = 0x6e;
SHORT[12] = 0x66;
SHORT[13] = 0x72;

/**
 * Writes the UTF-8 text `b[p..e)` as the contents of a JSON string and returns the position after it.
 *
 * Gives the same text as JSON.stringify: escapes quotes, backslashes and control characters. Each maximal broken
 * sequence becomes one U+FFFD, as in the WHATWG decoder.
 *
 * @param s The same bytes as `b`, for reading four at a time.
 */
export function writeText(b: Uint8Array, s: DataView, p: number, e: number, d: DataView, w: number): number {
  while (p < e) {
    // Copy four bytes at once while none of them needs attention: none is above 0x7f, below 0x20, a quote or a
    // backslash. (A borrow between bytes may cause a false positive, which only sends those four through the slow path
    // below; it never misses one.)
    for (const last = e - 4; p <= last; p += 4, w += 4) {
      const v = s.getInt32(p, true);
      const quote = v ^ 0x22222222;
      const backslash = v ^ 0x5c5c5c5c;
      if (((v | (v - 0x20202020) | (quote - 0x01010101) | (backslash - 0x01010101)) & 0x80808080) !== 0)
        break;
      d.setInt32(w, v, true);
    }
    for (let stop = Math.min(p + 4, e); p < stop; ) {
      const c = b[p] as number;
      if (c >= 0x80) {
        const n = sequenceLength(b, p, e);
        if (n > 0) for (let i = 0; i < n; i++) d.setUint8(w++, b[p++] as number);
        else {
          p -= n;
          w = writeReplacement(d, w);
        }
        // The rest of the text is probably similar.
        stop = Math.min(p + 4, e);
        continue;
      }
      p++;
      if (c >= 0x20 && c !== QUOTE && c !== BACKSLASH) d.setUint8(w++, c);
      else w = writeEscape(c, d, w);
    }
  }
  return w;
}

function writeEscape(c: number, d: DataView, w: number): number {
  d.setUint8(w, BACKSLASH);
  const letter = c < 0x20 ? (SHORT[c] as number) : c;
  if (letter !== 0) {
    d.setUint8(w + 1, letter);
    return w + 2;
  }
  d.setInt32(w + 1, 0x30303075, true); // u000
  d.setUint8(w + 4, 0x30 + (c >> 4));
  d.setUint8(w + 5, HEX[c & 15] as number);
  return w + 6;
}

function writeReplacement(d: DataView, w: number): number {
  replaced++;
  d.setUint8(w, 0xef);
  d.setUint8(w + 1, 0xbf);
  d.setUint8(w + 2, 0xbd);
  return w + 3;
}

/**
 * Length of the multi-byte UTF-8 sequence at `p`. If it is broken, the negative number of bytes that one U+FFFD
 * replaces. (Unicode 15, table 3-7: well-formed byte sequences.)
 */
export function sequenceLength(b: Uint8Array, p: number, e: number): number {
  const c = b[p] as number;
  if (c < 0xc2 || c > 0xf4) return -1;
  const length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  let least = 0x80;
  let most = 0xbf;
  if (c === 0xe0) least = 0xa0;
  else if (c === 0xed) most = 0x9f;
  else if (c === 0xf0) least = 0x90;
  else if (c === 0xf4) most = 0x8f;
  for (let i = 1; i < length; i++) {
    const follower = p + i < e ? (b[p + i] as number) : 0;
    if (follower < least || follower > most) return -i;
    least = 0x80;
    most = 0xbf;
  }
  return length;
}

const BASE64 = new TextEncoder().encode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PADDING = 0x3d;

/** Writes `b[p..e)` as base64 with padding and returns the position after it. */
export function writeBase64(b: Uint8Array, p: number, e: number, d: DataView, w: number): number {
  for (; p + 3 <= e; p += 3, w += 4) {
    const v = ((b[p] as number) << 16) | ((b[p + 1] as number) << 8) | (b[p + 2] as number);
    const first = ((BASE64[v >> 18] as number) << 24) | ((BASE64[(v >> 12) & 63] as number) << 16);
    d.setInt32(w, first | ((BASE64[(v >> 6) & 63] as number) << 8) | (BASE64[v & 63] as number));
  }
  if (p === e) return w;
  const v = ((b[p] as number) << 16) | (p + 1 < e ? (b[p + 1] as number) << 8 : 0);
  d.setUint8(w, BASE64[v >> 18] as number);
  d.setUint8(w + 1, BASE64[(v >> 12) & 63] as number);
  d.setUint8(w + 2, p + 1 < e ? (BASE64[(v >> 6) & 63] as number) : PADDING);
  d.setUint8(w + 3, PADDING);
  return w + 4;
}

/** Precomputed output: its length, then its bytes as little-endian words. */
export type Literal = Int32Array;

/** Prepares ASCII output for {@link put}. */
export function literal(text: string): Literal {
  const words = new Int32Array(1 + Math.ceil(text.length / 4));
  words[0] = text.length;
  for (let i = 0; i < text.length; i++) {
    const place = 1 + (i >> 2);
    words[place] = (words[place] as number) | (text.charCodeAt(i) << ((i & 3) * 8));
  }
  return words;
}

/**
 * Writes a literal, four bytes at a time. May overwrite up to three bytes after it: the next write replaces them, and
 * nothing reads beyond the end of the output.
 */
export function put(text: Literal, d: DataView, w: number): number {
  for (let i = 1, at = w; i < text.length; i++, at += 4) d.setInt32(at, text[i] as number, true);
  return w + (text[0] as number);
}

/** Writes a string of ASCII characters that need no escapes. */
export function writeAscii(text: string, d: DataView, w: number): number {
  for (let i = 0; i < text.length; i++) d.setUint8(w++, text.charCodeAt(i));
  return w;
}
