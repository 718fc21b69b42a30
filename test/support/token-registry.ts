/** A registry that requires bearer tokens, with its token server, like cloud registries. */
import { text } from "node:stream/consumers";
import { type FaultyRegistry, startFaultyRegistry } from "./faulty-registry.ts";
import type { PushableImage } from "./registry.ts";

/** The user who can get a token. */
export const tokenUser = { username: "reader", password: "open sesame" };
export const identityToken = "identity-5d1c";
/** The token that the registry finally accepts. */
export const accessToken = "access-9f27";

export interface TokenRegistry extends FaultyRegistry {
  /** How each token was requested: `basic reader:open sesame`, `refresh_token identity-5d1c`, `anonymous`. */
  readonly asked: readonly string[];
}

/** Starts the registry on a free port of 127.0.0.1. */
export async function startTokenRegistry(image: PushableImage): Promise<TokenRegistry> {
  const asked: string[] = [];
  const registry = await startFaultyRegistry(image);
  registry.fault = ({ kind, incoming }, response) => {
    if (incoming.url?.startsWith("/token")) {
      void wayOf(incoming).then((way) => {
        asked.push(way);
        const isKnown =
          way === `basic ${tokenUser.username}:${tokenUser.password}` ||
          way === `password ${tokenUser.username}:${tokenUser.password}` ||
          way === `refresh_token ${identityToken}`;
        const body = isKnown ? { token: accessToken, access_token: accessToken } : {};
        response.writeHead(isKnown ? 200 : 401, { "content-type": "application/json" });
        response.end(JSON.stringify(body));
      });
      return true;
    }
    if (incoming.headers.authorization === `Bearer ${accessToken}`) return false;
    const challenge = `Bearer realm="http://${registry.address}/token",service="test",scope="repository:x:pull"`;
    response.writeHead(401, kind === "blob" ? {} : { "www-authenticate": challenge });
    response.end();
    return true;
  };
  return Object.assign(registry, { asked });
}

type Incoming = Parameters<NonNullable<FaultyRegistry["fault"]>>[0]["incoming"];

async function wayOf(incoming: Incoming): Promise<string> {
  const basic = /^Basic (.+)$/.exec(incoming.headers.authorization ?? "")?.[1];
  if (basic !== undefined) return `basic ${Buffer.from(basic, "base64").toString()}`;
  const form = new URLSearchParams(await text(incoming));
  const way = form.get("grant_type");
  if (way === "refresh_token") return `refresh_token ${form.get("refresh_token")}`;
  if (way === "password") return `password ${form.get("username")}:${form.get("password")}`;
  return "anonymous";
}
