/** Commands to paste into a shell. */

/** Quotes a word for a POSIX shell. Returns it unchanged if it has no special characters. */
export function quote(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
