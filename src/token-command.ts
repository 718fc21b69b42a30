/** The command `crest token`, which changes the tokens file of a gateway that may be running or not. */
import { changeTokensFile, newToken, readTokensFile, sha256 } from "./access/callers/token-store.ts";
import { standingsOf, withoutToken, withToken } from "./access/callers/token-tree.ts";
import { operatorName, type TokensFile } from "./access/callers/tokens-file.ts";
import { grantFlags } from "./config/grant-flags.ts";
import { readCallerName } from "./config/token-request.ts";
import type { TokenCommand } from "./config.ts";
import { GatewayError, StartError } from "./errors.ts";

export interface Printed {
  /** For stdout; of `create` only the token, so that a script can take it. */
  readonly out: string;
  /** For stderr. */
  readonly note: string;
}

/** @throws {StartError} */
export async function runTokenCommand(command: TokenCommand, nowMs = Date.now()): Promise<Printed> {
  const { tokensFile: path } = command;
  switch (command.action) {
    case "create": {
      const { name, forMs, grants } = command.token;
      readCallerName(name);
      if (name === operatorName)
        throw new StartError(`--name=${name}: this is the caller with the gateway's own token`);
      const token = newToken();
      const expires = forMs === 0 ? undefined : timeOf(nowMs + forMs);
      await inWordsOfCommand(() =>
        changeTokensFile(path, (file) => ({
          file: withToken(
            file,
            {
              ...{ name, sha256: sha256(token), grants, created: timeOf(nowMs) },
              ...(expires === undefined ? {} : { expires }),
            },
            nowMs,
          ),
          result: undefined,
        })),
      );
      const until = expires === undefined ? "for ever" : `until ${expires}`;
      return {
        out: `${token}\n`,
        note: `Token "${name}" is valid ${until}: ${grantFlags(grants).join(" ")}\nIt is not shown again. crest token revoke ${name} ends it.\n`,
      };
    }
    case "revoke": {
      const { revoked: name } = command;
      const removed = await changeTokensFile(path, (file) => {
        const done = withoutToken(file, name);
        if (done === undefined)
          throw new StartError(`${name}: no such token in ${path}, see crest token list`);
        return { file: done.file, result: done.removed };
      });
      return { out: "", note: `Revoked ${removed.join(", ")}\n` };
    }
    case "list":
      return { out: table(readTokensFile(path), nowMs), note: "" };
  }
}

/** RFC 3339, in whole seconds. */
const timeOf = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

async function inWordsOfCommand<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new StartError(error.message, { cause: error });
  }
}

function table(file: TokensFile, nowMs: number): string {
  const standings = standingsOf(file);
  const rows = [
    ["NAME", "EXPIRES", "BY", "GRANTS"],
    ...file.tokens.map(({ name, parent, grants }) => {
      const standing = standings.get(name);
      return [name, expiryOf(standing, nowMs), parent ?? "-", grantFlags(grants).join(" ")];
    }),
    ...file.certificates.map(({ name, subject, grants }) => [
      ...[name, "-", subject, grantFlags(grants).join(" ")],
    ]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function expiryOf(standing: { readonly expiresAtMs: number | undefined } | undefined, nowMs: number): string {
  if (standing === undefined) return "revoked";
  if (standing.expiresAtMs === undefined) return "never";
  return standing.expiresAtMs <= nowMs ? "expired" : timeOf(standing.expiresAtMs);
}
