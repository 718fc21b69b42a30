/** The content of the tokens file: tokens with their grants, and callers that are known by their certificates. */
import { checkRecord, type PlaceOf } from "../../config/check-options.ts";
import { readGrants } from "../../config/resolve.ts";
import { StartError } from "../../errors.ts";
import type { Grants } from "../../grants.ts";

/** A token, as the file has it. The token itself is nowhere. */
export interface StoredToken {
  readonly name: string;
  /** Of the token, in hexadecimal. */
  readonly sha256: string;
  readonly grants: Grants;
  /** RFC 3339, as `expires`. */
  readonly created?: string;
  /** Absent: never. */
  readonly expires?: string;
  /** The name of the caller that made it; absent if the operator did. */
  readonly parent?: string;
  /** The grants of a parent that is not in the file: the sender of a JSON Web Token. */
  readonly within?: readonly Grants[];
}

/** A caller that is known by its certificate. */
export interface MappedCertificate {
  readonly name: string;
  /** `CN:alice`, `DNS:ci.example`, `URI:spiffe://example/ci` */
  readonly subject: string;
  readonly grants: Grants;
}

export interface TokensFile {
  readonly tokens: readonly StoredToken[];
  readonly certificates: readonly MappedCertificate[];
}

export const emptyTokensFile: TokensFile = { tokens: [], certificates: [] };

/** The name of the caller with the operator's own token. */
export const operatorName = "token";

/** The names of callers by JSON Web Token begin with this, and no name in the file does. */
export const jwtPrefix = "jwt:";

/** Parses the content of the file `path`. @throws {StartError} naming the place of the mistake. */
export function parseTokensFile(text: string, path: string): TokensFile {
  const placeOf: PlaceOf = (key) => (key === "" ? path : `${path}: ${key}`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // The parser quotes the text that it cannot read, which may hold anything.
    throw new StartError(`${path}: is not JSON`, { cause: error });
  }
  checkRecord("tokensFile", content, placeOf);
  const { tokens = [], certificates = [] } = content as {
    readonly tokens?: readonly object[];
    readonly certificates?: readonly object[];
  };
  const file: TokensFile = {
    tokens: tokens.map((one, index) => readToken(one, within(placeOf, `tokens[${index}]`))),
    certificates: certificates.map((one, index) =>
      readCertificate(one, within(placeOf, `certificates[${index}]`)),
    ),
  };
  checkDistinct(
    [...file.tokens, ...file.certificates].map(({ name }) => `the name "${name}"`),
    path,
  );
  checkDistinct(
    file.tokens.map(({ sha256 }) => `the sha256 ${sha256}`),
    path,
  );
  checkDistinct(
    file.certificates.map(({ subject }) => `the subject "${subject}"`),
    path,
  );
  return file;
}

const within =
  (placeOf: PlaceOf, at: string): PlaceOf =>
  (key) =>
    placeOf(key === "" ? at : `${at}.${key}`);

function checkDistinct(what: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const one of what) {
    if (seen.has(one)) throw new StartError(`${path}: ${one} is there twice`);
    seen.add(one);
  }
}

function readToken(given: object, placeOf: PlaceOf): StoredToken {
  checkRecord("token", given, placeOf);
  const token = given as StoredToken;
  checkName(token.name, placeOf);
  for (const key of ["created", "expires"] as const) {
    const time = token[key];
    if (time !== undefined && Number.isNaN(Date.parse(time)))
      throw new StartError(`${placeOf(key)}: there is no such time`);
  }
  const isOutside = token.parent?.startsWith(jwtPrefix) === true;
  if (isOutside !== (token.within !== undefined))
    throw new StartError(
      `${placeOf("within")}: only, and always, with a parent that begins with ${jwtPrefix}`,
    );
  return {
    ...token,
    grants: readGrants(token.grants, placeOf),
    ...(token.within === undefined
      ? {}
      : {
          within: token.within.map((grants, index) =>
            readGrants(grants, (key) => placeOf(key.replace(/^grants/, `within[${index}]`))),
          ),
        }),
  };
}

function readCertificate(given: object, placeOf: PlaceOf): MappedCertificate {
  checkRecord("certificate", given, placeOf);
  const certificate = given as MappedCertificate;
  checkName(certificate.name, placeOf);
  return { ...certificate, grants: readGrants(certificate.grants, placeOf) };
}

function checkName(name: string, placeOf: PlaceOf): void {
  if (name === operatorName)
    throw new StartError(`${placeOf("name")}: "${operatorName}" is the caller with the gateway's own token`);
}

/** The content of the file as text. Leaves out what is absent. */
export function formatTokensFile({ tokens, certificates }: TokensFile): string {
  return `${JSON.stringify({ tokens, ...(certificates.length > 0 ? { certificates } : {}) }, null, 2)}\n`;
}
