/** This process's environment. No other file reads it. */

/** All variables. What is deleted from it is gone for child processes too. */
export const environment: { [name: string]: string | undefined } = process.env;

/**
 * Runs `work` while the process has none of the variables `names`, and puts them back. For packages that read
 * variables with common names and act on them. `work` must be synchronous.
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
