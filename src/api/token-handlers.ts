/** The tokens that a caller makes of its own. */
import { type Caller, layersOf } from "../access/authorize.ts";
import { newToken, sha256 } from "../access/callers/token-store.ts";
import { descendantsOf, standingsOf, withoutToken, withToken } from "../access/callers/token-tree.ts";
import { operatorName, type StoredToken, type TokensFile } from "../access/callers/tokens-file.ts";
import { readTokenRequest, type TokenRequest } from "../config/token-request.ts";
import { GatewayError, StartError } from "../errors.ts";
import type { AnswerOf } from "../routes/answers.ts";
import type { CustomRouteId } from "../routes/index.ts";
import { type Bound, invalid } from "./bind.ts";
import type { CustomHandler } from "./custom.ts";
import type { Gateway } from "./gateway.ts";
import { inputOf } from "./input.ts";

/** How long a token is valid if the request does not say. */
const defaultMs = 3_600_000;

type TokenRouteId = Extract<
  CustomRouteId,
  `${string}Token` | `${string}Tokens` | "createSignInKey" | "signIn"
>;

export const tokenHandlers: { readonly [Id in TokenRouteId]: CustomHandler<AnswerOf<Id>> } = {
  listTokens: async ({ caller }, { callers }) => ({
    tokens: tokensOf(caller, callers.file).map(({ sha256: _sha256, within: _within, ...rest }) => rest),
  }),

  createToken: async ({ bound, caller }, gateway) => {
    const nowMs = Date.now();
    const { name, grants, expiresAtMs } = requestIn(bound, nowMs);
    if (name === operatorName) throw invalid([{ pointer: "/name", detail: "is that of the operator" }]);
    const token = newToken();
    const stored: StoredToken = {
      name,
      sha256: sha256(token),
      grants,
      created: new Date(nowMs).toISOString(),
      expires: new Date(expiryFor(caller, expiresAtMs, nowMs)).toISOString(),
      ...parentOf(caller),
    };
    await change(gateway, (file) => {
      requireStanding(caller, file);
      return { file: withToken(file, stored, nowMs), result: undefined };
    });
    const { created, expires, parent } = stored;
    return { name, token, grants, created, expires, parent };
  },

  revokeToken: async ({ bound, caller }, gateway) => {
    const { tokenName: name } = inputOf("revokeToken", bound);
    const revoked = await change(gateway, (file) => {
      const isOwn = tokensOf(caller, file).some((token) => token.name === name);
      const done = isOwn ? withoutToken(file, name) : undefined;
      if (done === undefined)
        throw new GatewayError(
          "not_found",
          `Cannot find token "${name}": GET /v1/tokens lists those you made`,
        );
      return { file: done.file, result: done.removed };
    });
    return { revoked };
  },

  createSignInKey: async ({ caller }, { signIns }) => {
    const { secret: key, expiresAtMs } = signIns.createKey(caller);
    return { key, expires: new Date(expiresAtMs).toISOString() };
  },

  signIn: async ({ caller }, { signIns }) => {
    const made = signIns.signIn(caller);
    if (made === undefined)
      throw new GatewayError("unauthenticated", "The key was used before: make another one", {
        headers: { "www-authenticate": 'Bearer error="invalid_token"' },
      });
    const { secret: token, expiresAtMs } = made;
    return { token, expires: new Date(expiresAtMs).toISOString() };
  },
};

/** The operator made those that nobody else made, and so all descend from it. */
const tokensOf = (caller: Caller, file: TokensFile): readonly StoredToken[] =>
  caller.by === undefined ? file.tokens : descendantsOf(file, caller.name);

function requestIn({ body = {} }: Bound, nowMs: number): TokenRequest {
  try {
    return readTokenRequest(body, nowMs);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const [, place = "", detail = error.message] = /^([\w.[\]-]+): (.*)$/s.exec(error.message) ?? [];
    throw invalid([{ pointer: place === "" ? "" : `/${place.replaceAll(".", "/")}`, detail }]);
  }
}

/** At most as long as the caller's own. */
function expiryFor(caller: Caller, asked: number | undefined, nowMs: number): number {
  const most = caller.expiresAtMs ?? Number.POSITIVE_INFINITY;
  if (asked === undefined) return Math.min(nowMs + defaultMs, most);
  if (asked <= most) return asked;
  const until = new Date(most).toISOString();
  throw invalid([{ pointer: "/expires", detail: `must not be after your own token expires, at ${until}` }]);
}

function parentOf(caller: Caller): Pick<StoredToken, "parent" | "within"> {
  if (caller.by === undefined) return {};
  // The file does not have the grants of a JSON Web Token.
  return { parent: caller.name, ...(caller.by === "jwt" ? { within: caller.layers ?? [] } : {}) };
}

/** The file may have changed since the caller was let in. */
function requireStanding(caller: Caller, file: TokensFile): void {
  if (caller.by !== "token" && caller.by !== "certificate") return;
  const [, ...layers] = layersOf(caller);
  const standing = standingsOf(file).get(caller.name);
  if (JSON.stringify(standing?.layers) === JSON.stringify(layers)) return;
  throw new GatewayError("unauthenticated", `The ${caller.by} "${caller.name}" was revoked or changed`, {
    headers: { "www-authenticate": 'Bearer error="invalid_token"' },
  });
}

async function change<T>(
  { callers }: Gateway,
  work: (file: TokensFile) => { readonly file: TokensFile; readonly result: T },
): Promise<T> {
  try {
    return await callers.change(work);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    // The reason names paths of the node, which only the log may tell.
    throw new GatewayError(
      "tokens_file_unavailable",
      "Cannot change the tokens: the gateway's log says why",
      {
        cause: error,
      },
    );
  }
}
