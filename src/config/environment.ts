/** The environment of this process. No other module reads it. */

/** All variables. Child processes do not inherit a deleted one. */
export const environment: { [name: string]: string | undefined } = process.env;

/**
 * Runs `work` with the variables `names` removed from the environment, then restores them. For packages that act on
 * variables with common names. `work` must be synchronous.
 */
export function withoutVariables<T>(names: readonly string[], work: () => T): T {
  const hidden = names.flatMap((name): [string, string][] => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value]];
  });
  for (const [name] of hidden) delete environment[name];
  try {
    return work();
  } finally {
    for (const [name, value] of hidden) environment[name] = value;
  }
}
