/** Names that requests are about to use. */

export interface RunNames {
  /** Returns what gives the name free; undefined if somebody else has it. */
  claim(name: string): (() => void) | undefined;
}

export function createRunNames(): RunNames {
  const claimed = new Set<string>();
  return {
    claim(name) {
      if (claimed.has(name)) return undefined;
      claimed.add(name);
      return () => void claimed.delete(name);
    },
  };
}
