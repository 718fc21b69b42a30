/**
 * Answers pages of allowed origins so that their browser shows them the answer (CORS, https://fetch.spec.whatwg.org).
 *
 * Such a page sends its token itself, as everyone does: the gateway has no cookies, so nothing here lets a page act for a
 * person who did not give it a token.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { AnonymousRequests } from "../limits/anonymous-requests.ts";
import { addVary } from "../server/content-coding.ts";
import { allMethods } from "../server/methods.ts";
import { pathOf } from "../server/problems.ts";
import { openPaths } from "./health.ts";

export interface CrossOriginOptions {
  readonly allowOrigin?: readonly string[] | undefined;
  readonly anonymous: AnonymousRequests;
}

/** How long a browser may remember the answer to a preflight, in seconds. Chromium's own limit. */
const maxAgeSeconds = 7200;

/**
 * Returns a function that adds the headers for an allowed origin, and answers the question that browsers ask before a
 * request (a preflight), which has no token. It returns whether it has answered. The origin must have been checked.
 */
export function createCrossOrigin({ allowOrigin = [], anonymous }: CrossOriginOptions) {
  if (allowOrigin.length === 0) return () => false;
  const allowed = new Set(allowOrigin);
  return ({ headers, method, raw, url }: FastifyRequest, reply: FastifyReply): boolean => {
    const { origin } = headers;
    const isAllowed = origin !== undefined && allowed.has(origin);
    // Or a cache could give one page what is for another. Nothing else may be cached.
    if (isAllowed || openPaths.has(pathOf(url))) addVary(reply, "Origin");
    if (!isAllowed) return false;
    reply.header("access-control-allow-origin", origin);
    if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) {
      reply.header("access-control-expose-headers", "*");
      return false;
    }
    anonymous.countPage(raw.socket.remoteAddress);
    const asked = headers["access-control-request-headers"];
    reply.headers({
      "access-control-allow-methods": allMethods.join(", "),
      "access-control-max-age": maxAgeSeconds,
      ...(asked === undefined ? {} : { "access-control-allow-headers": asked }),
    });
    reply.code(204).send();
    return true;
  };
}
