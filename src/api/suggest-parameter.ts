/** Suggests the query parameter that a caller meant by an unknown one. */
import { nearest } from "../nearest.ts";

/** Our parameters, and the names that other APIs and commands use. */
const elsewhere: { readonly [parameter: string]: readonly string[] } = {
  labelSelector: ["label", "labels", "selector", "l", "filter", "filters"],
  pod: ["podSandboxId", "pod_sandbox_id", "podId", "sandbox", "p"],
  state: ["status", "phase"],
  command: ["cmd", "args"],
  ports: ["port"],
  timeout: ["t", "time", "timeoutSeconds", "grace", "gracePeriodSeconds"],
  limit: ["pageSize", "page_size", "per_page", "max", "count", "n"],
  continue: ["cursor", "page", "offset", "pageToken", "page_token"],
  image: ["reference", "ref", "repository"],
  stdin: ["interactive", "i"],
  tty: ["terminal"],
  verbose: ["v", "details", "info"],
};

/** Advice for names that have no equivalent here. */
const without: { readonly [name: string]: string } = {
  all: "omit it, stopped and exited ones are listed too",
  name: "lists have no filter by name, use labelSelector",
  namespace: "lists have no filter by namespace, use labelSelector",
  force: "omit it, removal is always forced",
};

/** A suggestion for `name` on a route with the parameters `known`; undefined if none is close. */
export function suggestParameter(name: string, known: readonly string[]): string | undefined {
  const meant = known.find((one) => elsewhere[one]?.includes(name)) ?? nearest(name, known);
  if (meant !== undefined) return `did you mean ${meant}?`;
  const says = Object.hasOwn(without, name) ? without[name] : undefined;
  const applies = name === "force" || known.includes("labelSelector");
  return applies ? says : undefined;
}
