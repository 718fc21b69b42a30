import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DescEnum, DescField, DescMethod } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { methods } from "../../../src/gen/methods.ts";
import { proto } from "./reference.ts";

/** Kubernetes' CRI v1, as text: what proto/ must be on the wire and in JSON. */
interface Facts {
  readonly package: string;
  readonly services: { readonly [service: string]: readonly string[] };
  readonly messages: { readonly [message: string]: readonly string[] };
  readonly enums: { readonly [name: string]: readonly string[] };
}

const facts = JSON.parse(readFileSync(join("test", "fixtures", "cri-v1.facts.json"), "utf8")) as Facts;

function typeOf(field: DescField): string {
  if (field.message !== undefined) return field.message.name;
  if (field.enum !== undefined) return enumName(field.enum);
  return field.scalar === undefined ? "" : ScalarType[field.scalar].toLowerCase();
}

function fieldFact(field: DescField): string {
  const type = typeOf(field);
  const whole =
    field.fieldKind === "map"
      ? `map<${ScalarType[field.mapKey].toLowerCase()},${type}>`
      : field.fieldKind === "list"
        ? `repeated ${type}`
        : type;
  const deprecated = field.proto.options?.deprecated ? " deprecated" : "";
  return `${field.number} ${field.name} ${field.jsonName} ${whole}${deprecated}`;
}

function enumName(descriptor: DescEnum): string {
  return descriptor.parent === undefined ? descriptor.name : `${descriptor.parent.name}.${descriptor.name}`;
}

function methodFact(method: DescMethod): string {
  assert.match(method.methodKind, /^(unary|server_streaming)$/);
  const stream = method.methodKind === "server_streaming" ? "stream " : "";
  return `${method.name}(${method.input.name}) returns ${stream}${method.output.name}`;
}

/** Order carries no meaning in a proto file. */
function sorted(table: { readonly [name: string]: readonly string[] }): [string, string[]][] {
  const rows = Object.entries(table).map(([name, items]): [string, string[]] => [name, [...items].sort()]);
  return rows.sort(([a], [b]) => (a < b ? -1 : 1));
}

test("proto/ is CRI v1: services, methods, streaming", () => {
  assert.equal(proto.proto.package, facts.package);
  const services = proto.services.map((service) => [service.name, service.methods.map(methodFact)] as const);
  assert.deepEqual(sorted(Object.fromEntries(services)), sorted(facts.services));
});

test("proto/ is CRI v1: fields with numbers, names, JSON names and types", () => {
  const messages = proto.messages.map((message) => [message.name, message.fields.map(fieldFact)] as const);
  assert.deepEqual(sorted(Object.fromEntries(messages)), sorted(facts.messages));
});

test("proto/ is CRI v1: enums", () => {
  const all = [...proto.enums, ...proto.messages.flatMap((message) => message.nestedEnums)];
  const enums = all.map(
    (one) => [enumName(one), one.values.map(({ name, number }) => `${number} ${name}`)] as const,
  );
  assert.deepEqual(sorted(Object.fromEntries(enums)), sorted(facts.enums));
});

test("the generated tables are CRI v1: 43 RPCs, 175 messages, 478 fields, 11 enums", () => {
  const fields = Object.entries(descriptors.messages).map(([message, { fields: list }]) => [
    message,
    list.map((field) => {
      const type = field.map
        ? `map<string,${field.type}>`
        : `${field.repeated ? "repeated " : ""}${field.type}`;
      return `${field.number} ${field.proto} ${field.name} ${type}${field.deprecated ? " deprecated" : ""}`;
    }),
  ]);
  assert.deepEqual(sorted(Object.fromEntries(fields)), sorted(facts.messages));
  const enums = Object.entries(descriptors.enums).map(([name, values]) => [
    name,
    Object.entries(values).map(([value, number]) => `${number} ${value}`),
  ]);
  assert.deepEqual(sorted(Object.fromEntries(enums)), sorted(facts.enums));
  const rpcs = Object.entries(facts.services).flatMap(([service, list]) =>
    list.map((fact) => `${service}/${fact}`),
  );
  const known = Object.entries(methods).map(([rpc, { path, request, response, stream }]) => {
    assert.equal(path, `/${facts.package}.${rpc}`);
    return `${rpc}(${request}) returns ${stream ? "stream " : ""}${response}`;
  });
  assert.deepEqual(known.sort(), rpcs.sort());
  const count = Object.values(descriptors.messages).flatMap((message) => message.fields).length;
  assert.deepEqual([known.length, fields.length, count, enums.length], [43, 175, 478, 11]);
});

test("redacted are CRI's secrets, and what Crest adds: names of accounts, environments, commands", () => {
  const redacted = Object.entries(descriptors.messages).flatMap(([message, { fields }]) =>
    fields.filter(({ redact }) => redact).map(({ proto: name }) => `${message}.${name}`),
  );
  assert.deepEqual(redacted.sort(), [
    "AuthConfig.auth",
    "AuthConfig.identity_token",
    "AuthConfig.password",
    "AuthConfig.registry_token",
    "AuthConfig.server_address",
    "AuthConfig.username",
    "ExecRequest.cmd",
    "ExecSyncRequest.cmd",
    "KeyValue.value",
  ]);
});

test("our JSON differs from canonical proto3 JSON in KeyValue.value and the shorthand of ImageSpec only", () => {
  const entries = Object.entries(descriptors.messages);
  const text = entries.flatMap(([message, { fields }]) =>
    fields.filter((field) => field.kind === "scalar" && field.text).map(({ name }) => `${message}.${name}`),
  );
  const shorthands = entries.flatMap(([message, { shorthand }]) =>
    shorthand === undefined ? [] : [`${message}.${shorthand}`],
  );
  assert.deepEqual([text, shorthands], [["KeyValue.value"], ["ImageSpec.image"]]);
});
