/** Names that requests are about to use. */

export interface NameClaims {
  /** Returns what gives the name free; undefined if somebody else has it. */
  claim(name: string): (() => void) | undefined;
}

export function createNameClaims(): NameClaims {
  const claimed = new Set<string>();
  return {
    claim(name) {
      if (claimed.has(name)) return undefined;
      claimed.add(name);
      return () => void claimed.delete(name);
    },
  };
}
