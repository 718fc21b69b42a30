/** Deno and Node's permission model. */

/**
 * Whether an error is the sandbox's answer for a path that the process may not look at. It is not the kernel's: EACCES
 * says that a folder above may not be searched.
 */
export function isHidden(error: unknown): boolean {
  const { code, name } = error as NodeJS.ErrnoException;
  return code === "ERR_ACCESS_DENIED" || name === "NotCapable";
}
