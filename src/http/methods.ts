/** Which methods a path takes, for 405 and its `Allow`. */
import type { Route } from "../routes/define.ts";

/** The methods of the routes whose path `path` is, HEAD with GET; empty when there is none. */
export function allowedMethods(routes: readonly Route[], path: string): readonly string[] {
  const methods = new Set<string>();
  for (const route of routes) {
    const [method = "", pattern = ""] = route.http.split(" ");
    if (!matcherOf(pattern).test(path)) continue;
    methods.add(method);
    if (method === "GET") methods.add("HEAD");
  }
  return [...methods].sort();
}

/** What some route takes. */
export const allMethods: readonly string[] = ["DELETE", "GET", "HEAD", "PATCH", "POST"];

function matcherOf(pattern: string): RegExp {
  const source = pattern.replace(/\{image\}$/, ".+").replace(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${source}$`);
}
