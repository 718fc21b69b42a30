/** Support for Deno and Node's permission model. */

/**
 * Whether an error means that the sandbox hides the path from this process. The kernel's EACCES is different: it means
 * that a parent folder is not searchable.
 */
export function isHidden(error: unknown): boolean {
  const { code, name } = error as NodeJS.ErrnoException;
  return code === "ERR_ACCESS_DENIED" || name === "NotCapable";
}
