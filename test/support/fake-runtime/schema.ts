/**
 * Decodes and encodes CRI messages for the fake with protobuf-es, using the descriptors that buf compiles from the
 * definition. Deliberately independent of the product's codec, so that two implementations read the same bytes.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { repositoryRoot } from "../repository.ts";
import { type RpcName, rpcNames } from "./rpc-names.ts";

const servicePackage = "runtime.v1";

export interface CriMethod {
  readonly rpc: RpcName;
  /** The HTTP/2 path: `/runtime.v1.RuntimeService/Version`. */
  readonly path: string;
  readonly input: DescMessage;
  readonly output: DescMessage;
  /** Whether the response is a stream of messages. */
  readonly streaming: boolean;
}

export interface CriSchema {
  readonly methods: ReadonlyMap<RpcName, CriMethod>;
  /** The descriptor of `runtime.v1.<name>`. */
  message(name: string): DescMessage;
}

let loaded: CriSchema | undefined;

/**
 * The schema, compiled once per process. The descriptors are cached in node_modules/.cache by the hash of the
 * definition.
 *
 * @throws {Error} if buf fails or the definition has other RPCs than `rpcNames`.
 */
export function criSchema(): CriSchema {
  loaded ??= readSchema(protoRegistry());
  return loaded;
}

let registry: FileRegistry | undefined;

/** Everything in proto/, compiled once per process. */
export function protoRegistry(): FileRegistry {
  registry ??= createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorBytes()));
  return registry;
}

function descriptorBytes(): Uint8Array {
  const root = repositoryRoot();
  const hash = createHash("sha256");
  for (const path of readdirSync(join(root, "proto"), { recursive: true, encoding: "utf8" }).sort())
    if (path.endsWith(".proto")) hash.update(readFileSync(join(root, "proto", path)));
  const folder = join(root, "node_modules/.cache/crest");
  const cached = join(folder, `descriptors-${hash.digest("hex")}.binpb`);
  if (existsSync(cached)) return readFileSync(cached);
  const bytes = execFileSync(
    join(root, "node_modules/.bin/buf"),
    ["build", "proto", "--as-file-descriptor-set", "-o", "-"],
    { cwd: root, maxBuffer: 64 << 20 },
  );
  // Test files run in separate processes. Rename, so that no other process sees a half-written file.
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${cached}.${process.pid}`, bytes);
  renameSync(`${cached}.${process.pid}`, cached);
  return bytes;
}

function readSchema(registry: FileRegistry): CriSchema {
  const methods = new Map<RpcName, CriMethod>();
  const known = new Set<string>(rpcNames);
  for (const service of ["RuntimeService", "ImageService"]) {
    const typeName = `${servicePackage}.${service}`;
    for (const method of registry.getService(typeName)?.methods ?? []) {
      const rpc = `${service}/${method.name}`;
      if (!known.delete(rpc)) throw new Error(`Cannot serve ${rpc}: the fake runtime does not know it`);
      methods.set(rpc as RpcName, {
        rpc: rpc as RpcName,
        path: `/${typeName}/${method.name}`,
        input: method.input,
        output: method.output,
        streaming: method.methodKind === "server_streaming",
      });
    }
  }
  if (known.size > 0) throw new Error(`Cannot find in the definition: ${[...known].join(", ")}`);
  return {
    methods,
    message(name) {
      const descriptor = registry.getMessage(`${servicePackage}.${name}`);
      if (descriptor === undefined) throw new Error(`Cannot find the message: ${name}`);
      return descriptor;
    },
  };
}

/** Decodes wire bytes to canonical proto JSON: camelCase names, 64-bit numbers as strings, defaults omitted. */
export function decodeMessage(descriptor: DescMessage, bytes: Uint8Array): JsonObject {
  return toJson(descriptor, fromBinary(descriptor, bytes)) as JsonObject;
}

/** Encodes a draft (see `toProtoJson`) to wire bytes. */
export function encodeMessage(descriptor: DescMessage, draft: object): Uint8Array {
  return toBinary(descriptor, parseMessage(descriptor, draft));
}

/**
 * Converts a draft to a protobuf-es message.
 *
 * @throws {Error} if the draft does not fit the message: an unknown field, a wrong type.
 */
export function parseMessage(descriptor: DescMessage, draft: object): Message {
  return fromJson(descriptor, toProtoJson(draft));
}

/**
 * Converts a draft to proto JSON. In a draft, `undefined` members are omitted, bigint represents 64-bit numbers and
 * Uint8Array bytes.
 */
export function toProtoJson(draft: unknown): JsonValue {
  switch (typeof draft) {
    case "bigint":
      return draft.toString();
    case "object":
      break;
    default:
      return draft as JsonValue;
  }
  if (draft === null) return null;
  if (draft instanceof Uint8Array) return Buffer.from(draft).toString("base64");
  if (Array.isArray(draft)) return draft.map(toProtoJson);
  const json: JsonObject = {};
  for (const [name, value] of Object.entries(draft)) {
    if (value !== undefined) json[name] = toProtoJson(value);
  }
  return json;
}
