/**
 * Who made which token, and what each may do.
 *
 * A token's layers are those of its parent and its own grants. Whoever may use something must be allowed by all layers
 * and denied by none, so that a token cannot do more than the one it was made with, whatever its own grants say. It
 * ends with its parent.
 */
import { GatewayError } from "../../errors.ts";
import type { Grants } from "../../grants.ts";
import type { MappedCertificate, StoredToken, TokensFile } from "./tokens-file.ts";

/** What a caller may do and for how long, with all its parents taken into account. */
export interface Standing {
  readonly name: string;
  readonly layers: readonly Grants[];
  /** In milliseconds since 1970; undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** The first of its line. */
  readonly account: string;
}

/** Every caller of the file by name. Leaves out tokens whose parent is gone, and those that descend from themselves. */
export function standingsOf({ tokens, certificates }: TokensFile): ReadonlyMap<string, Standing> {
  const byName = new Map<string, StoredToken | MappedCertificate>(
    [...tokens, ...certificates].map((one) => [one.name, one]),
  );
  const known = new Map<string, Standing | undefined>();
  const standingOf = (name: string): Standing | undefined => {
    if (known.has(name)) return known.get(name);
    known.set(name, undefined);
    const one = byName.get(name);
    if (one === undefined) return undefined;
    const found = "sha256" in one ? ofToken(one, standingOf) : rootOf(one);
    known.set(name, found);
    return found;
  };
  return new Map(
    [...byName.keys()].flatMap((name) => {
      const found = standingOf(name);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
}

const rootOf = ({ name, grants }: MappedCertificate): Standing => ({
  name,
  layers: [grants],
  expiresAtMs: undefined,
  account: name,
});

function ofToken(
  { name, grants, expires, parent, within }: StoredToken,
  standingOf: (name: string) => Standing | undefined,
): Standing | undefined {
  const own = expires === undefined ? undefined : Date.parse(expires);
  if (parent === undefined) return { name, layers: [grants], expiresAtMs: own, account: name };
  if (within !== undefined) return { name, layers: [...within, grants], expiresAtMs: own, account: parent };
  const above = standingOf(parent);
  if (above === undefined) return undefined;
  return {
    name,
    layers: [...above.layers, grants],
    expiresAtMs: earlier(above.expiresAtMs, own),
    account: above.account,
  };
}

/** The earlier of two times; undefined is never. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** The tokens that `name` made, and those that they made. */
export function descendantsOf({ tokens }: TokensFile, name: string): readonly StoredToken[] {
  const line = new Set([name]);
  const found: StoredToken[] = [];
  // Each round finds another generation.
  for (let before = -1; before !== found.length; ) {
    before = found.length;
    for (const token of tokens) {
      if (token.parent === undefined || !line.has(token.parent) || line.has(token.name)) continue;
      line.add(token.name);
      found.push(token);
    }
  }
  return found;
}

/** The most tokens that may descend from one caller. */
export const maxDescendants = 100;
/** How long a token stays in the file after it has expired, so that its holder learns why it is refused. */
const keptAfterExpiryMs = 24 * 3_600_000;

/**
 * Adds a token.
 *
 * @throws {GatewayError} conflict: when the name is taken, or when a caller in its line has too many tokens.
 */
export function withToken(file: TokensFile, token: StoredToken, nowMs: number): TokensFile {
  const kept = withoutOrphans({
    ...file,
    tokens: file.tokens.filter(
      ({ name, expires }) =>
        expires === undefined ||
        Date.parse(expires) > (name === token.name ? nowMs : nowMs - keptAfterExpiryMs),
    ),
  });
  if ([...kept.tokens, ...kept.certificates].some(({ name }) => name === token.name))
    throw new GatewayError("conflict", `Cannot create the token "${token.name}": a caller has this name`);
  const added: TokensFile = { ...kept, tokens: [...kept.tokens, token] };
  const parents = new Map(added.tokens.map(({ name, parent }) => [name, parent]));
  for (let above = token.parent; above !== undefined; above = parents.get(above)) {
    const live = descendantsOf(added, above).filter(
      ({ expires }) => expires === undefined || Date.parse(expires) > nowMs,
    );
    if (live.length > maxDescendants)
      throw new GatewayError(
        "conflict",
        `Cannot create the token "${token.name}": "${above}" has ${maxDescendants} tokens, revoke one of them or wait until one expires`,
      );
  }
  return added;
}

/** Removes a token and its descendants. Returns undefined if there is no such token. */
export function withoutToken(
  file: TokensFile,
  name: string,
): { readonly file: TokensFile; readonly removed: readonly string[] } | undefined {
  const token = file.tokens.find((one) => one.name === name);
  if (token === undefined) return undefined;
  const removed = new Set([token, ...descendantsOf(file, name)].map((one) => one.name));
  const kept = { ...file, tokens: file.tokens.filter((one) => !removed.has(one.name)) };
  return { file: withoutOrphans(kept), removed: [...removed] };
}

/** Without tokens whose parent is gone: another caller of that name must not bring them back. */
function withoutOrphans(file: TokensFile): TokensFile {
  const standing = standingsOf(file);
  return { ...file, tokens: file.tokens.filter(({ name }) => standing.has(name)) };
}
