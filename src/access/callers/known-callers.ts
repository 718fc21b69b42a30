/** The callers of the tokens file, which change while the gateway runs. */
import type { Grants } from "../../grants.ts";
import type { Caller } from "../authorize.ts";
import { changeTokensFile, watchTokensFile } from "./token-store.ts";
import { type Standing, standingsOf } from "./token-tree.ts";
import { emptyTokensFile, type TokensFile } from "./tokens-file.ts";

export interface KnownCallers {
  /** The caller with the token of this SHA-256, also one whose token has expired. Looks at the file if there is none. */
  byToken(digest: string): Caller | undefined;
  /** The caller for a certificate with these subjects; undefined if there is none, or if the certificate has expired. */
  byCertificate(certificate: CertificateSubjects): Caller | undefined;
  /** How many callers there are. */
  readonly count: number;
  /** The content of the file as it was last read. */
  readonly file: TokensFile;
  /** Changes the file, and takes over what it changed. @throws {StartError} */
  change<T>(work: (file: TokensFile) => { readonly file: TokensFile; readonly result: T }): Promise<T>;
  /** Looks at the file if it has changed. */
  look(): void;
  close(): void;
}

/** Whom a certificate is for. */
export interface CertificateSubjects {
  /** `CN:alice`, `DNS:ci.example`, `URI:spiffe://example/ci` */
  readonly subjects: readonly string[];
  /** In milliseconds since 1970. */
  readonly expiresAtMs: number;
}

export interface KnownCallersOptions {
  readonly path: string;
  /** What this process lets any caller do. */
  readonly grants: Grants;
  /** Called with the error of a content that cannot be used. The callers stay as they were. */
  readonly refuse: (error: unknown) => void;
}

/** Milliseconds between two looks at the file. */
const everyMs = 500;

/** How many certificates of a caller are remembered. */
const maxCertificates = 100;

/** @throws {StartError} if the file cannot be used at the start. */
export function createKnownCallers({ path, grants, refuse }: KnownCallersOptions): KnownCallers {
  let file = emptyTokensFile;
  let byDigest: ReadonlyMap<string, Caller> = new Map();
  let bySubject: ReadonlyMap<string, Caller> = new Map();
  /** The current caller objects by what they may do: a change of that makes a new one, and ends the old one. */
  let current: ReadonlyMap<string, Caller> = new Map();

  function callerOf(key: string, by: "token" | "certificate", standing: Standing): Caller {
    const { name, layers, expiresAtMs, account } = standing;
    const id = JSON.stringify([key, standing]);
    const kept = current.get(id);
    if (kept !== undefined) return kept;
    const whyOver = (): string | undefined => {
      if (expiresAtMs !== undefined && Date.now() >= expiresAtMs)
        return `The token "${name}" expired at ${new Date(expiresAtMs).toISOString()}`;
      return current.get(id) === caller ? undefined : `The ${by} "${name}" was revoked or changed`;
    };
    const caller: Caller = { name, grants, layers, by, account, expiresAtMs, whyOver };
    return caller;
  }

  function use(found: TokensFile): void {
    const standings = standingsOf(found);
    const next = new Map<string, Caller>();
    const callers = <T extends { readonly name: string }>(
      all: readonly T[],
      by: "token" | "certificate",
      keyOf: (one: T) => string,
    ): ReadonlyMap<string, Caller> =>
      new Map(
        all.flatMap((one) => {
          const standing = standings.get(one.name);
          if (standing === undefined) return [];
          const caller = callerOf(keyOf(one), by, standing);
          next.set(JSON.stringify([keyOf(one), standing]), caller);
          return [[keyOf(one), caller] as const];
        }),
      );
    byDigest = callers(found.tokens, "token", (one) => one.sha256);
    bySubject = callers(found.certificates, "certificate", (one) => one.subject);
    current = next;
    file = found;
  }

  /** The same object for all connections with the same certificate: see `compileRoute`. */
  const byExpiry = new WeakMap<Caller, Map<number, Caller>>();

  /** The caller while its certificate is valid. */
  function untilExpiry(caller: Caller, expiresAtMs: number): Caller {
    const known = byExpiry.get(caller) ?? new Map<number, Caller>();
    byExpiry.set(caller, known);
    let found = known.get(expiresAtMs);
    if (found === undefined) {
      const whyOver = (): string | undefined =>
        Date.now() >= expiresAtMs ? `The certificate of "${caller.name}" has expired` : caller.whyOver?.();
      found = { ...caller, expiresAtMs, whyOver };
      if (known.size >= maxCertificates) known.clear();
      known.set(expiresAtMs, found);
    }
    return found;
  }

  const watch = watchTokensFile({ path, use, refuse });
  const timer = setInterval(watch.look, everyMs).unref();
  let changing: Promise<unknown> = Promise.resolve();

  return {
    byToken(digest) {
      const found = byDigest.get(digest);
      if (found !== undefined) return found;
      // It may have been made just now.
      watch.look();
      return byDigest.get(digest);
    },
    byCertificate({ subjects, expiresAtMs }) {
      if (bySubject.size === 0 || Date.now() >= expiresAtMs) return undefined;
      const subject = subjects.find((one) => bySubject.has(one));
      const caller = subject === undefined ? undefined : bySubject.get(subject);
      if (caller === undefined) return undefined;
      return untilExpiry(caller, expiresAtMs);
    },
    get count() {
      return current.size;
    },
    get file() {
      return file;
    },
    async change(work) {
      // One after another: the lock is for other processes.
      const result = changing.then(() => changeTokensFile(path, work));
      changing = result.catch(() => undefined);
      const done = await result;
      watch.look();
      return done;
    },
    look: watch.look,
    close: () => clearInterval(timer),
  };
}
