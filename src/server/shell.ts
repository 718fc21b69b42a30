/** Commands to paste into a shell. */

/** A word as a shell reads it: unchanged when nothing in it is special. */
export function quote(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
