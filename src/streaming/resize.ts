/** Terminal sizes. An invalid one hangs the whole session on containerd, so each is parsed and rewritten. */

const most = 0xffff;
/** A size takes about 30 bytes. Parsing a 1 MiB message would block the gateway for a sixth of a second. */
const maxBytes = 256;

/** Rewrites a client's `{"Width": n, "Height": n}` for the runtime; undefined if it is invalid or over 256 bytes. */
export function checkedResize(payload: Buffer): Buffer | undefined {
  if (payload.length > maxBytes) return undefined;
  let size: unknown;
  try {
    size = JSON.parse(payload.toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof size !== "object" || size === null) return undefined;
  // Go ignores the case of member names, and clients rely on that.
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
