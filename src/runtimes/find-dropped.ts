/** Finds the fields of a request that the runtime would ignore: see the table in dropped-fields.ts. */

import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { GatewayError } from "../errors.ts";
import { descriptors } from "../gen/descriptors.ts";
import type { Messages } from "../gen/messages.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { type Field, messageOf } from "../wire/descriptor.ts";
import { jsonPointer } from "../wire/invalid-value.ts";
import { readAbilities } from "./abilities.ts";
import { type Droppable, droppedFields, type Facts, type Outcome } from "./dropped-fields.ts";

type Message = { readonly [field: string]: unknown };
type Path = readonly (string | number)[];

/** The RPCs whose requests have such fields. */
export const canDrop = (rpc: Rpc): boolean => reaching.has(methods[rpc].request);

/** A field that the runtime ignores, without the caller's request failing for it. */
export interface Ignored {
  /** Into the request message. */
  readonly path: Path;
  /** `containerd 1.6.20 ignores it: the container would have no such device`. */
  readonly detail: string;
}

/**
 * Returns the fields of a request that the runtime ignores.
 *
 * @throws {GatewayError} not_implemented: if without one of them, a container would have more rights than were asked
 *   for. It names all of those. The pointers are into the request message.
 */
export async function findIgnored(runtime: Runtime, rpc: Rpc, request: Message): Promise<readonly Ignored[]> {
  const candidates = candidatesIn(methods[rpc].request, request, []);
  if (candidates.length === 0) return [];
  const abilities = await readAbilities(runtime);
  const { handlers } = abilities;
  const handler =
    handlers.size > 0 && candidates.some(({ row }) => row.ofHandler)
      ? handlers.get(await handlerOf(runtime, request))
      : undefined;
  // The runtime itself refuses a handler that it does not have.
  const isUnknown = handlers.size > 0 && handler === undefined;
  const facts: Facts = { ...abilities, handler };
  const dropped = candidates
    .filter(({ row, message }) => !(row.ofHandler && isUnknown) && row.isDropped(facts, message))
    .map(({ row, value, path }) => ({ path, loss: row.loss, outcome: outcomeOf(row, value, facts) }));
  const who = `${abilities.name} ${abilities.version}`;
  const refused = dropped.filter(({ outcome }) => outcome === "refused");
  if (refused.length > 0) throw refusalOf(refused, who, rpc);
  return dropped.map(({ path, loss }) => ({ path, detail: `${who} ignores it: ${loss}` }));
}

/** A short body can have very many. */
const mostNamed = 100;

interface Lost {
  readonly path: Path;
  readonly loss: string;
}

function refusalOf(refused: readonly Lost[], who: string, rpc: Rpc): GatewayError {
  const errors = refused.slice(0, mostNamed).map(({ path, loss }) => ({
    pointer: jsonPointer(path),
    detail: `would be ignored, and ${loss}`,
  }));
  const fields = [...new Set(refused.map(({ path }) => path.findLast((part) => typeof part === "string")))];
  const method = rpc.slice(rpc.indexOf("/") + 1);
  return new GatewayError(
    "not_implemented",
    `${method} is refused, because ${who} would ignore ${fields.join(", ")}: "errors" says what would be missing; leave it out if this is what you want`,
    { errors },
  );
}

/** The table without the types of its fields. */
interface Row extends Omit<Droppable<unknown, Message>, "outcome" | "asks" | "isDropped"> {
  readonly outcome: Outcome | ((value: unknown, facts: Facts) => Outcome);
  readonly asks?: (value: unknown, message: Message) => boolean;
  readonly isDropped: (facts: Facts, message: Message) => boolean;
}
const rowsOf = (type: string): { readonly [field: string]: Row } =>
  (droppedFields[type as keyof Messages] ?? {}) as { readonly [field: string]: Row };

const outcomeOf = ({ outcome }: Row, value: unknown, facts: Facts): Outcome =>
  typeof outcome === "function" ? outcome(value, facts) : outcome;

interface Candidate {
  readonly path: Path;
  readonly row: Row;
  readonly value: unknown;
  readonly message: Message;
}

/** It describes a pod that exists. */
const described = "sandboxConfig";

/** The fields of the table that a message asks for. */
function candidatesIn(type: string, message: Message, path: Path): readonly Candidate[] {
  const rows = rowsOf(type);
  return messageOf(descriptors, type).fields.flatMap((field) => {
    const value = message[field.name];
    if (value === undefined || field.name === described) return [];
    const here = [...path, field.name];
    const row = rows[field.name];
    const own =
      row !== undefined && isGiven(field, value) && (row.asks?.(value, message) ?? true)
        ? [{ path: row.at === undefined ? here : [...here, row.at], row, value, message }]
        : [];
    if (field.kind !== "message" || field.map || !reaching.has(field.type)) return own;
    const inner = field.repeated
      ? (value as readonly Message[]).flatMap((one, index) => candidatesIn(field.type, one, [...here, index]))
      : candidatesIn(field.type, value as Message, here);
    return [...own, ...inner];
  });
}

/** A default says nothing. An empty message is none. */
function isGiven({ kind, map }: Field, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return value !== "" && value !== "0" && value !== false;
  return (kind === "message" && !map && !Array.isArray(value)) || Object.keys(value).length > 0;
}

/** The messages that have a field of the table, at any depth. */
const reaching: ReadonlySet<string> = messagesReaching(new Set(Object.keys(droppedFields)));

function messagesReaching(known: ReadonlySet<string>): ReadonlySet<string> {
  const found = Object.entries(descriptors.messages)
    .filter(([, { fields }]) =>
      fields.some(({ kind, type, name }) => kind === "message" && name !== described && known.has(type)),
    )
    .map(([name]) => name);
  const all = new Set([...known, ...found]);
  return all.size === known.size ? all : messagesReaching(all);
}

/** The handler of the pod that a request makes or names; empty for the default one. */
async function handlerOf(runtime: Runtime, request: Message): Promise<string> {
  const { runtimeHandler, podSandboxId } = request;
  if (typeof podSandboxId !== "string" || podSandboxId === "")
    return typeof runtimeHandler === "string" ? runtimeHandler : "";
  const { status } = await call(runtime, "RuntimeService/PodSandboxStatus", { podSandboxId });
  return status?.runtimeHandler ?? "";
}
