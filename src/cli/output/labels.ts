/** Labels for people. */

/** `app=web,tier=db`; `-` without any. */
export function labelText(labels: { readonly [key: string]: string }): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? "-" : pairs.join(",");
}
