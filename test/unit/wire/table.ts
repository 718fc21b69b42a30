/** A small descriptor table that has every kind of field. */
import type { Descriptors, Field } from "../../../src/wire/descriptor.ts";

const fields: readonly Field[] = [
  { number: 1, name: "name", proto: "name", kind: "scalar", type: "string" },
  { number: 2, name: "hostPath", proto: "host_path", kind: "scalar", type: "string" },
  { number: 3, name: "int64", proto: "int64", kind: "scalar", type: "int64" },
  { number: 4, name: "uint64", proto: "uint64", kind: "scalar", type: "uint64" },
  { number: 5, name: "int32", proto: "int32", kind: "scalar", type: "int32" },
  { number: 6, name: "uint32", proto: "uint32", kind: "scalar", type: "uint32" },
  { number: 7, name: "double", proto: "double", kind: "scalar", type: "double" },
  { number: 8, name: "bool", proto: "bool", kind: "scalar", type: "bool" },
  { number: 9, name: "bytes", proto: "bytes", kind: "scalar", type: "bytes" },
  { number: 10, name: "text", proto: "text", kind: "scalar", type: "bytes", text: true },
  { number: 11, name: "kind", proto: "kind", kind: "enum", type: "Kind" },
  { number: 12, name: "part", proto: "part", kind: "message", type: "Part" },
  { number: 13, name: "parts", proto: "parts", kind: "message", type: "Part", repeated: true },
  {
    number: 14,
    name: "numbers",
    proto: "numbers",
    kind: "scalar",
    type: "int64",
    repeated: true,
    packed: true,
  },
  { number: 15, name: "words", proto: "words", kind: "scalar", type: "string", repeated: true },
  { number: 16, name: "labels", proto: "labels", kind: "scalar", type: "string", map: true },
  { number: 17, name: "password", proto: "password", kind: "scalar", type: "string", redact: true },
  {
    number: 18,
    name: "secrets",
    proto: "secrets",
    kind: "scalar",
    type: "string",
    repeated: true,
    redact: true,
  },
  { number: 19, name: "vault", proto: "vault", kind: "message", type: "Part", redact: true },
];

export const table: Descriptors = {
  messages: {
    Thing: { fields },
    Part: {
      shorthand: "image",
      fields: [
        { number: 1, name: "image", proto: "image", kind: "scalar", type: "string" },
        { number: 2, name: "weight", proto: "weight", kind: "scalar", type: "int32" },
      ],
    },
    Endless: { fields: [{ number: 1, name: "next", proto: "next", kind: "message", type: "Endless" }] },
    Nothing: { fields: [] },
  },
  enums: { Kind: { PLAIN: 0, FANCY: 1, ODD: 7 } },
};
