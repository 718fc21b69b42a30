/** Ids for people. */

/** Characters of a short id, as crictl has them. */
const shortLength = 13;

/** Without the name of the digest: `sha256:`. */
export const bareId = (id: string): string => id.replace(/^sha256:/, "");

/** The first 13 characters. */
export const shortId = (id: string): string => bareId(id).slice(0, shortLength);

/** Shortens ids to 13 characters, or to as many as distinguish each from the others in `ids`. */
export function shortIds(ids: Iterable<string>): (id: string) => string {
  const sorted = [...new Set([...ids].map(bareId))].sort();
  const longer = new Map<string, number>();
  for (const [index, id] of sorted.entries()) {
    const next = sorted[index + 1] ?? "";
    if (id.slice(0, shortLength) !== next.slice(0, shortLength)) continue;
    const length = commonLength(id, next) + 1;
    for (const one of [id, next]) longer.set(one, Math.max(length, longer.get(one) ?? 0));
  }
  return (id) => {
    const bare = bareId(id);
    return bare.slice(0, longer.get(bare) ?? shortLength);
  };
}

function commonLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}
