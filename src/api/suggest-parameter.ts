/** Which query parameter somebody meant who wrote one that a route does not have. */
import { nearest } from "../nearest.ts";

/** A parameter of ours, and what other APIs and commands call it. */
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

/** What nothing here stands for, in words. */
const without: { readonly [name: string]: string } = {
  all: "leave it out, what has ended is listed too",
  name: "names are no filter, labelSelector is one",
  namespace: "namespaces are no filter, labelSelector is one",
  force: "leave it out, a removal is by force",
};

/** What has a route of its own. */
const watching = new Set(["watch", "follow", "history", "interval", "stream"]);

/** Of a route that has the parameters `known`; a phrase, or undefined when none is close. */
export function suggestParameter(name: string, known: readonly string[], http = ""): string | undefined {
  const [, stats] = /^GET (\S*\/stats\b\S*)$/.exec(http) ?? [];
  if (stats !== undefined && !known.includes("interval") && watching.has(name))
    return `${stats}/watch follows them, with interval and history`;
  const meant = known.find((one) => elsewhere[one]?.includes(name)) ?? nearest(name, known);
  if (meant !== undefined) return `perhaps ${meant} is meant`;
  const says = Object.hasOwn(without, name) ? without[name] : undefined;
  const applies = name === "force" || known.includes("labelSelector");
  return applies ? says : undefined;
}
