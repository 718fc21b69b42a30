/** Suggests the route that a caller meant, after a request for an unknown path or with an unsupported method. */

import { nearest } from "../nearest.ts";
import type { Route } from "../routes/define.ts";

/** Pages and documents, which are not in the route table. */
const pages: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/docs"],
  ["GET", "/docs/problems"],
  ["GET", "/openapi.json"],
  ["GET", "/livez"],
  ["GET", "/readyz"],
  ["GET", "/metrics"],
  ["GET", "/metrics/cadvisor"],
];

/** Longer paths are not typos and would only cost time. */
const maxSegments = 8;

/**
 * The route that `path` probably means, with the caller's ids filled in: `GET /v1/pods` for `/v1/pod`, `/pods` and
 * `/api/v1/pods`. Prefers routes that accept `method`. Undefined if none is close.
 */
export function suggestRoute(routes: readonly Route[], method: string, path: string): string | undefined {
  // The path that a browser opens first.
  if (path === "/") return "GET /docs";
  const known = [...routes.map(({ http }) => http.split(" ") as [string, string]), ...pages];
  const verb = method === "HEAD" ? "GET" : method;
  const ordered = [...known.filter(([one]) => one === verb), ...known.filter(([one]) => one !== verb)];
  for (const form of formsOf(path)) {
    for (const [one, pattern] of ordered) {
      const filled = fill(pattern, form);
      if (filled !== undefined) return `${one} ${filled}`;
    }
  }
  return undefined;
}

/**
 * The routes that accept `method` for the same kind of resource: containers are listed at `/v1/containers` but created
 * at `/v1/pods/{podSandboxId}/containers`.
 */
export function routesFor(routes: readonly Route[], method: string, path: string): readonly string[] {
  const last = path.split("/").at(-1) ?? "";
  return routes.flatMap(({ http }) => {
    const [one, pattern = ""] = http.split(" ");
    const isNear = pattern.endsWith(`/${last}`) || pattern.replace(/\/(\{\w+\}|pull)$/, "") === path;
    return one === method && isNear ? [http] : [];
  });
}

/** Variants of the segments: as given, with `v1` in front, and both without the first segment. */
function formsOf(path: string): readonly (readonly string[])[] {
  const segments = path.split("/").filter((segment) => segment !== "");
  if (segments.length === 0 || segments.length > maxSegments) return [];
  return [segments, ["v1", ...segments], segments.slice(1), ["v1", ...segments.slice(1)]];
}

/** Fills the ids of `segments` into the pattern; undefined unless its fixed words are close to theirs. */
function fill(pattern: string, segments: readonly string[]): string | undefined {
  const parts = pattern.slice(1).split("/");
  if (parts.at(-1) === "{image}" && segments.length > parts.length) {
    const name = segments.slice(parts.length - 1).join("/");
    return fill(pattern, [...segments.slice(0, parts.length - 1), name]);
  }
  if (parts.length !== segments.length) return undefined;
  const filled = parts.map((part, index) => {
    const segment = segments[index] ?? "";
    return part.startsWith("{") ? segment : nearest(segment, [part]);
  });
  return filled.includes(undefined) ? undefined : `/${filled.join("/")}`;
}
