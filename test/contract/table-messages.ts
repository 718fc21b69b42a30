/** CRI's messages for tests: the fields of the descriptor table, messages with every field set, random ones. */
import { fromBinary, type JsonObject, toJson } from "@bufbuild/protobuf";
import fc, { type Arbitrary } from "fast-check";
import { requestRules } from "../../src/cri/request-rules.ts";
import { descriptors } from "../../src/gen/descriptors.ts";
import { methods, type Rpc } from "../../src/gen/methods.ts";
import { enumOf, type Field, messageOf } from "../../src/wire/descriptor.ts";
import { breaks, type FieldRule } from "../../src/wire/field-rule.ts";
import { criSchema, decodeMessage, encodeMessage } from "../support/fake-runtime/schema.ts";

/** A message as the gateway's callers write it: canonical JSON, but for `KeyValue.value`, which is text. */
export type Message = { [field: string]: unknown };

export const fieldsOf = (message: string): readonly Field[] => messageOf(descriptors, message).fields;

/** The field at a dotted path of a message. */
export function fieldAt(message: string, path: string): Field {
  const [head = "", ...rest] = path.split(".");
  const field = fieldsOf(message).find(({ name }) => name === head);
  if (!field) throw new Error(`Cannot find the field: ${message} has no ${head}`);
  return rest.length === 0 ? field : fieldAt(field.type, rest.join("."));
}

/** Dotted paths to the leaves; `[]` behind lists of messages. */
export function leafPaths(message: string): readonly string[] {
  return fieldsOf(message).flatMap((field) => {
    if (field.kind !== "message" || field.map) return [field.name];
    const inside = leafPaths(field.type);
    const own = field.repeated ? `${field.name}[]` : field.name;
    return inside.length === 0 ? [own] : inside.map((path) => `${own}.${path}`);
  });
}

/** The leaf paths that a canonical message sets, in the manner of `leafPaths`. */
export function pathsIn(message: string, value: Message): ReadonlySet<string> {
  const found = new Set<string>();
  for (const field of fieldsOf(message)) {
    const member = value[field.name];
    if (member === undefined) continue;
    if (field.kind !== "message" || field.map) {
      found.add(field.name);
      continue;
    }
    const own = field.repeated ? `${field.name}[]` : field.name;
    const items = (field.repeated ? member : [member]) as Message[];
    if (leafPaths(field.type).length === 0) found.add(own);
    for (const item of items) for (const path of pathsIn(field.type, item)) found.add(`${own}.${path}`);
  }
  return found;
}

export function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => (at as Message | undefined)?.[key], value);
}

export function putAt(target: Message, path: string, value: unknown): void {
  const keys = path.split(".");
  let at = target;
  for (const key of keys.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as Message;
  }
  at[keys.at(-1) ?? ""] = value;
}

/** A message in which nothing has its default, and hardly two values are the same. */
export function fullMessage(message: string): Message {
  let count = 0;
  const scalar = (field: Field): unknown => {
    count++;
    if (field.kind === "enum") {
      const names = Object.keys(enumOf(descriptors, field.type));
      return names[1 + (count % (names.length - 1))];
    }
    switch (field.type) {
      case "bool":
        return true;
      case "int64":
      case "uint64":
        return String(9_007_199_254_740_993n + BigInt(count));
      case "int32":
      case "uint32":
        return count;
      case "double":
        return count + 0.5;
      case "bytes":
        return "text" in field && field.text
          ? `text ${count}`
          : Buffer.from(`bytes ${count}`).toString("base64");
      default:
        return `${field.name} ${count} "é"`;
    }
  };
  const build = (name: string): Message =>
    Object.fromEntries(fieldsOf(name).map((field) => [field.name, member(field)]));
  const one = (field: Field): unknown => (field.kind === "message" ? build(field.type) : scalar(field));
  const member = (field: Field): unknown => {
    if (field.map) return { [`a.${count}/key`]: scalar(field), [`b ${count}`]: scalar(field) };
    return field.repeated ? [one(field), one(field)] : one(field);
  };
  return build(message);
}

/** What keeps the rules of requests where a generated value does not. */
const lawful: { readonly [field: string]: unknown } = {
  "AuthConfig.auth": Buffer.from("user:password").toString("base64"),
  "ContainerConfig.workingDir": "/a folder",
  "ContainerConfig.logPath": "a name/0.log",
  "ContainerConfig.metadata": { name: "a name" },
  "ContainerConfig.image": { image: "an/image:1", userSpecifiedImage: "image:1" },
  "ContainerMetadata.name": "a name",
  "PodSandboxConfig.metadata": { name: "a name", uid: "an uid", namespace: "a namespace" },
  "PodSandboxConfig.hostname": "a-host",
  "PodSandboxMetadata.name": "a name",
  "ImageSpec.image": "an/image:1",
  "KeyValue.key": "A_NAME",
  "PortMapping.hostIp": "127.0.0.1",
  "Capability.addCapabilities": ["NET_ADMIN", "SYS_PTRACE"],
  "Capability.dropCapabilities": ["NET_RAW", "CHOWN"],
  "Capability.addAmbientCapabilities": ["NET_ADMIN"],
  "Mount.containerPath": "in it",
  "Mount.hostPath": "/on the node",
  "Device.containerPath": "/dev/in it",
  "Device.hostPath": "/dev/on the node",
  "Device.permissions": "rw",
  "RuntimeConfig.networkConfig": {},
  "UpdateRuntimeConfigRequest.runtimeConfig": { networkConfig: {} },
  "UpdateContainerResourcesRequest.linux": {},
  "ExecSyncRequest.cmd": ["a command"],
};

/** The message, in which what breaks a rule of requests is replaced, or left out. */
export function keepRules(message: string, value: Message): Message {
  const kept: Message = { ...value };
  for (const [field, rule] of Object.entries(requestRules[message] ?? {})) {
    const items = Array.isArray(kept[field]) ? (kept[field] as string[]) : [];
    const hasWrongItem = rule.item !== undefined && items.some((item) => rule.item?.(item) !== undefined);
    if (breaks(rule, field, kept) === undefined && !hasWrongItem) continue;
    kept[field] =
      rule.minimum === undefined
        ? lawful[`${message}.${field}`]
        : lawfulNumber(fieldAt(message, field), rule);
  }
  for (const field of fieldsOf(message)) {
    const member = kept[field.name];
    if (field.kind !== "message" || field.map || member === undefined) continue;
    if (requestRules[message]?.[field.name]?.unchecked) continue;
    kept[field.name] = field.repeated
      ? (member as Message[]).map((item) => keepRules(field.type, item))
      : keepRules(field.type, member as Message);
  }
  return withoutAbsent(message === "PodSandboxConfig" ? fittingTogether(kept) : kept);
}

/** A pod's config without what is wrong only together: a hostname with the node's network, a host port twice. */
function fittingTogether(config: Message): Message {
  const mappings = config.portMappings as Message[] | undefined;
  const portMappings = mappings?.map((mapping, index) =>
    mapping.hostPort === undefined ? mapping : { ...mapping, hostPort: 1000 + index },
  );
  const network = "linux.securityContext.namespaceOptions.network";
  const fitting = structuredClone(portMappings === undefined ? config : { ...config, portMappings });
  if (valueAt(config, network) === "NODE" && config.hostname) putAt(fitting, network, "CONTAINER");
  return fitting;
}

function lawfulNumber({ type, repeated }: Field, { except }: FieldRule): unknown {
  const value = except === undefined ? 7 : Number(except[1]) + 1;
  const number = type.endsWith("64") ? String(value) : value;
  return repeated ? [number] : number;
}

const text = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme-ascii", maxLength: 20 }) },
  // The gateway takes no NUL.
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 8 }).map((it) => it.replaceAll("\0", "\x01")),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("", '"\\\n\u0001', "constructor", "0", "😀", "\u2028", "..", "a/b?c#d%25"),
  },
);
/** protobuf-es, which the fake decodes with, loses the key `__proto__` of a map. */
const key = fc
  .oneof(text, fc.constantFrom("app", "example.com/app", "10", "9"))
  .filter((name) => name !== "__proto__");
const wide = (least: bigint, most: bigint) =>
  fc.oneof(fc.bigInt({ min: least, max: most }), fc.constantFrom(least, most, 0n, 1n)).map(String);

function scalarOf(field: Field): Arbitrary<unknown> {
  if (field.kind === "enum") return fc.constantFrom(...Object.keys(enumOf(descriptors, field.type)));
  switch (field.type) {
    case "bool":
      return fc.boolean();
    case "int64":
      return wide(-(2n ** 63n), 2n ** 63n - 1n);
    case "uint64":
      return wide(0n, 2n ** 64n - 1n);
    case "int32":
      return fc.integer();
    case "uint32":
      return fc.nat(2 ** 32 - 1);
    case "double":
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case "bytes":
      return "text" in field && field.text
        ? text
        : fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    default:
      return text;
  }
}

const known = new Map<string, Arbitrary<Message>>();

/** Valid messages; each field is absent one time in three. */
export function messageArbitrary(message: string): Arbitrary<Message> {
  const made = known.get(message);
  if (made) return made;
  const members: { [name: string]: Arbitrary<unknown> } = {};
  for (const field of fieldsOf(message)) {
    const one = field.kind === "message" && !field.map ? messageArbitrary(field.type) : scalarOf(field);
    const value = field.map
      ? fc.dictionary(key, one as Arbitrary<string>, { maxKeys: 3, noNullPrototype: true })
      : field.repeated
        ? fc.array(one, { maxLength: 3 })
        : one;
    members[field.name] = fc.option(value, { freq: 3, nil: undefined });
  }
  const arbitrary = fc.record(members).map(withoutAbsent);
  known.set(message, arbitrary);
  return arbitrary;
}

function withoutAbsent(value: Message): Message {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));
}

/** As protobuf's own JSON has it: `KeyValue.value` in base64. */
export function toProto(message: string, value: Message): JsonObject {
  const members = Object.entries(value).map(([name, member]) => {
    const field = fieldAt(message, name);
    if ("text" in field && field.text) return [name, Buffer.from(String(member)).toString("base64")];
    if (field.kind !== "message" || field.map) return [name, member];
    const items = field.repeated
      ? (member as Message[]).map((item) => toProto(field.type, item))
      : toProto(field.type, member as Message);
    return [name, items];
  });
  return Object.fromEntries(members) as JsonObject;
}

function methodOf(rpc: Rpc) {
  const method = criSchema().methods.get(rpc);
  if (!method) throw new Error(`Cannot find the RPC: ${rpc}`);
  return method;
}

/** A request as the fake records it: canonical, defaults left out. */
export function recordedForm(rpc: Rpc, request: Message): JsonObject {
  const { input } = methodOf(rpc);
  return decodeMessage(input, encodeMessage(input, toProto(methods[rpc].request, request)));
}

/** A response on the wire. */
export function responseBytes(rpc: Rpc, response: Message): Uint8Array {
  return encodeMessage(methodOf(rpc).output, toProto(methods[rpc].response, response));
}

/** A response as callers must see it, parsed: canonical, defaults written out. (No response holds a `KeyValue`.) */
export function canonicalResponse(rpc: Rpc, wire: Uint8Array): JsonObject {
  const { output } = methodOf(rpc);
  const canonical = toJson(output, fromBinary(output, wire), { alwaysEmitImplicit: true });
  return JSON.parse(JSON.stringify(canonical)) as JsonObject;
}
