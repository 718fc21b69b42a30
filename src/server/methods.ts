/** Finds the methods that a path accepts, for 405 and its `Allow` header. */
import type { Route } from "../routes/define.ts";

/** The methods of all routes that match `path`; HEAD is added for GET. Empty if no route matches. */
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

/** Every method that some route accepts. */
export const allMethods: readonly string[] = ["DELETE", "GET", "HEAD", "PATCH", "POST"];

/** Whether a route pattern matches the path. A parameter is one segment; an image is the whole rest. */
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
