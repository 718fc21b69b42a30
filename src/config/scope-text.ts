/** Parsers for the scopes that narrow grants and denials to pods. See `access/scope.ts` for what they mean. */
import { StartError } from "../errors.ts";
import { grantWords } from "../grants.ts";
import { unknownWord } from "./check-options.ts";

const name = /^[A-Za-z0-9._*-]+$/;
/** As in Kubernetes. The time of a comparison grows with the lengths of both names. */
const maxNameLength = 253;
/** As in Kubernetes: an optional prefix, and 63 characters. */
const labelKey = /^([A-Za-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
/** What people may write for true or false. A grant or a denial of a namespace instead could go unnoticed. */
const switchLike =
  /^(?:t|f|y|n|[0-9]+|true|false|yes|no|on|off|all|any|none|never|always|enabled?|disabled?)$/i;
const maxPort = 65_535;
const usage = "write NAMESPACE, NAMESPACE/POD (either with *) or label:KEY=VALUE";

/**
 * Parses `demo`, `demo/web`, `demo/*` or `label:app=web`, and returns it as it is.
 *
 * @throws {StartError} for anything else.
 */
export function readScope(text: string): string {
  const refuse = (what: string) => new StartError(`"${text}" ${what}: ${usage}`);
  if (switchLike.test(text))
    throw new StartError(
      `"${text}" is neither true nor false: write one of them, or ${text}/* for a namespace`,
    );
  if (text.startsWith("label:")) {
    const [key = "", value, ...more] = text.slice("label:".length).split("=");
    if (value === undefined) throw refuse("has no value of the label");
    if (more.length > 0 || !labelKey.test(key) || !labelValue.test(value))
      throw refuse("is not one label with its value");
    return text;
  }
  const [namespace = "", pod, ...more] = text.split("/");
  if (more.length > 0) throw refuse("has more than a namespace and a pod");
  for (const part of pod === undefined ? [namespace] : [namespace, pod]) {
    if (part === "") throw refuse("has an empty part");
    if (!name.test(part)) throw refuse(`has "${part}", which is not a name`);
    if (part.length > maxNameLength) throw refuse(`has a name of more than ${maxNameLength} characters`);
  }
  return text;
}

/**
 * Parses a scope with ports, `demo/web:80,8000-8010`, or without.
 *
 * @throws {StartError} for anything else, and for ports without pods.
 */
export function readForwardScope(text: string): string {
  if (/^[0-9,-]+$/.test(text))
    throw new StartError(
      `"${text}" may be a port or a namespace: write */*:${text} for the port, ${text}/* for the namespace`,
    );
  const [, scope = text, ports] = /^(.*[^:]):([0-9,-]*)$/.exec(text) ?? [];
  readScope(scope);
  for (const range of ports?.split(",") ?? []) {
    const [, first, last = first] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(range) ?? [];
    if (Number(first) >= 1 && Number(last) <= maxPort && Number(first) <= Number(last)) continue;
    throw new StartError(
      `"${text}" has ports that are not from 1 to ${maxPort}: write SCOPE:80 or SCOPE:80,8000-8010`,
    );
  }
  return text;
}

/** Splits a list of such scopes at its commas, but not between the ports of one: `demo/web:80,443,demo/db`. */
export function splitForwardScopes(text: string): readonly string[] {
  const items: string[] = [];
  for (const part of text.split(",")) {
    const last = items.at(-1);
    if (last !== undefined && /:[0-9,-]+$/.test(last) && /^\s*[0-9]+(-[0-9]+)?\s*$/.test(part))
      items[items.length - 1] = `${last},${part.trim()}`;
    else items.push(part);
  }
  return items;
}

/**
 * Parses what may be read: a kind, such as `pods`; the pods of a scope, `demo/*`; or a kind of those, `stats:demo/*`.
 *
 * @throws {StartError} for anything else, and for a kind that belongs to no pod.
 */
export function readReadItem(text: string): string {
  const { kinds } = grantWords.read;
  if (kinds.some((kind) => kind === text)) return text;
  const kind = kinds.find((one) => text.startsWith(`${one}:`));
  if (kind === "images" || kind === "runtime")
    throw new StartError(`"${text}" narrows ${kind} to pods, but they belong to the node: write ${kind}`);
  const scope = kind === undefined ? text : text.slice(kind.length + 1);
  if (kind === undefined && !/[/:]/.test(text)) {
    throw new StartError(
      `${unknownWord(text, kinds)}, or a scope such as ${name.test(text) ? text : "demo"}/*`,
    );
  }
  readScope(scope);
  return text;
}
