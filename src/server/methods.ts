/** Which methods a path takes, for 405 and its `Allow`. */
import type { Route } from "../routes/define.ts";

/** The methods of the routes whose path `path` is, HEAD with GET; empty when there is none. */
export function allowedMethods(routes: readonly Route[], path: string): readonly string[] {
  const methods = new Set<string>();
  for (const route of routes) {
    const [method = "", pattern = ""] = route.http.split(" ");
    if (!isPathOf(pattern, path)) continue;
    methods.add(method);
    if (method === "GET") methods.add("HEAD");
  }
  return [...methods].sort();
}

/** What some route takes. */
export const allMethods: readonly string[] = ["DELETE", "GET", "HEAD", "PATCH", "POST"];

/** Whether a route's pattern has this path: a parameter is one segment, an image all that is left. */
function isPathOf(pattern: string, path: string): boolean {
  const parts = pattern.split("/");
  const segments = path.split("/");
  const last = parts.length - 1;
  if (parts[last] === "{image}")
    return isStartOf(parts.slice(0, last), segments) && segments.slice(last).join("/") !== "";
  return parts.length === segments.length && isStartOf(parts, segments);
}

function isStartOf(parts: readonly string[], segments: readonly string[]): boolean {
  return parts.every((part, index) =>
    part.startsWith("{") ? segments[index] !== "" : part === segments[index],
  );
}
