/** Terminal sizes. One that does not read wedges the whole session on containerd, so each is written anew. */

const most = 0xffff;
/** A size takes about 30 bytes. Parsing a message of 1 MiB would stop the gateway for a sixth of a second. */
const maxBytes = 256;

/** A client's `{"Width": n, "Height": n}` as the runtime wants it; undefined when it is none, or over 256 bytes. */
export function checkedResize(payload: Buffer): Buffer | undefined {
  if (payload.length > maxBytes) return undefined;
  let size: unknown;
  try {
    size = JSON.parse(payload.toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof size !== "object" || size === null) return undefined;
  // Go reads member names in any case, and so do clients write them.
  const members = new Map(
    Object.entries(size).map(([name, value]) => [name.toLowerCase(), value as unknown]),
  );
  const width = members.get("width");
  const height = members.get("height");
  if (!isLength(width) || !isLength(height)) return undefined;
  return Buffer.from(`{"Width":${width},"Height":${height}}\n`);
}

function isLength(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) <= most;
}
