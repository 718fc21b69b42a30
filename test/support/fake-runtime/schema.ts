/**
 * The CRI messages as the fake reads and writes them: protobuf-es over the descriptors that buf compiles
 * from the definition. Independent of the product's own codec on purpose: two readings of the same bytes.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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
  /** Whether the answer is a stream of messages. */
  readonly streaming: boolean;
}

export interface CriSchema {
  readonly methods: ReadonlyMap<RpcName, CriMethod>;
  /** The descriptor of `runtime.v1.<name>`. */
  message(name: string): DescMessage;
}

let loaded: CriSchema | undefined;

/**
 * The schema, compiled once per process; the descriptors are kept under node_modules/.cache, by the
 * hash of the definition.
 *
 * @throws {Error} if buf fails or the definition has other RPCs than `rpcNames`.
 */
export function criSchema(): CriSchema {
  loaded ??= readSchema(createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorBytes())));
  return loaded;
}

function descriptorBytes(): Uint8Array {
  const root = repositoryRoot();
  const hash = createHash("sha256")
    .update(readFileSync(join(root, "proto/runtime/v1/api.proto")))
    .digest("hex");
  const folder = join(root, "node_modules/.cache/crest");
  const cached = join(folder, `descriptors-${hash}.binpb`);
  if (existsSync(cached)) return readFileSync(cached);
  const bytes = execFileSync(
    join(root, "node_modules/.bin/buf"),
    ["build", "proto", "--as-file-descriptor-set", "-o", "-"],
    { cwd: root, maxBuffer: 64 << 20 },
  );
  // Test files run in processes of their own: a rename never shows a half-written file to another.
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

/** Wire bytes to canonical proto JSON: camelCase names, 64-bit numbers as strings, defaults left out. */
export function decodeMessage(descriptor: DescMessage, bytes: Uint8Array): JsonObject {
  return toJson(descriptor, fromBinary(descriptor, bytes)) as JsonObject;
}

/** A draft (see `toProtoJson`) to wire bytes. */
export function encodeMessage(descriptor: DescMessage, draft: object): Uint8Array {
  return toBinary(descriptor, parseMessage(descriptor, draft));
}

/**
 * A draft to a protobuf-es message.
 *
 * @throws {Error} if the draft does not fit the message: an unknown field, a wrong type.
 */
export function parseMessage(descriptor: DescMessage, draft: object): Message {
  return fromJson(descriptor, toProtoJson(draft));
}

/**
 * A draft is proto JSON with the comforts of TypeScript: members that are `undefined` are left out,
 * bigint stands for 64-bit numbers and Uint8Array for bytes.
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
