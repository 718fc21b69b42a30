import assert from "node:assert/strict";
import { test } from "node:test";
import { comments } from "../../../src/gen/comments.ts";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { methods } from "../../../src/gen/methods.ts";

/** Everything that is published: RPCs, messages, fields, enums and their values. */
const published: readonly string[] = [
  ...Object.keys(methods),
  ...Object.entries(descriptors.messages).flatMap(([message, { fields }]) => [
    message,
    ...fields.map(({ name }) => `${message}.${name}`),
  ]),
  ...Object.entries(descriptors.enums).flatMap(([name, values]) => [
    name,
    ...Object.keys(values).map((value) => `${name}.${value}`),
  ]),
];

/** The words of a text that carry meaning, in lower case and without plural. */
function wordsOf(text: string): readonly string[] {
  const filler = new Set([
    "the",
    "a",
    "an",
    "of",
    "this",
    "is",
    "it",
    "its",
    "for",
    "to",
    "in",
    "on",
    "and",
    "that",
  ]);
  return text
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "" && !filler.has(word))
    .map((word) => word.replace(/s$/, ""));
}

test("the comments cover every RPC, message, field, enum and value", () => {
  assert.deepEqual(
    published.filter((name) => !comments[name]?.trim()),
    [],
  );
});

test("no comment stands for what is not there", () => {
  const known = new Set([...published, "RuntimeService", "ImageService"]);
  assert.deepEqual(
    Object.keys(comments).filter((name) => !known.has(name)),
    [],
  );
});

test("no comment only repeats the name", () => {
  const empty = published.filter((name) => {
    const own = new Set(wordsOf(name));
    return wordsOf(comments[name] ?? "").every((word) => own.has(word));
  });
  assert.deepEqual(empty, []);
});

test("comments of messages and fields are sentences", () => {
  const broken = published.filter((name) => {
    const text = comments[name] ?? "";
    const isValue = /\.[A-Z0-9_]+$/.test(name);
    return !isValue && !/^[A-Z0-9`].*[.:`)]$/s.test(text);
  });
  assert.deepEqual(broken, []);
});
