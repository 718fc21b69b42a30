/** Which requests are one pull. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createPullKeys } from "../../../src/pulls/pull-key.ts";

const keyOf = createPullKeys();
const image = { image: "busybox" };
const reference = "docker.io/library/busybox:latest";

test("equal requests have equal keys, whatever the order of their members and their defaults", () => {
  const one = keyOf(
    { image: { ...image, annotations: { a: "1", b: "2" } }, auth: { username: "u", password: "p" } },
    reference,
  );
  const other = keyOf(
    {
      auth: { password: "p", username: "u", serverAddress: "" },
      image: { image: "docker.io/library/busybox", annotations: { b: "2", a: "1" }, runtimeHandler: "" },
    },
    reference,
  );
  assert.equal(one, other);
  const specified = { ...image, userSpecifiedImage: "busybox" };
  assert.equal(keyOf({ image }, reference), keyOf({ image: specified }, reference));
});

test("other credentials, references or options have other keys", () => {
  const keys = [
    keyOf({ image }, reference),
    keyOf({ image }, "docker.io/library/busybox:1"),
    keyOf({ image: { ...image, runtimeHandler: "kata" } }, reference),
    keyOf({ image: { ...image, userSpecifiedImage: "other" } }, reference),
    keyOf({ image, sandboxConfig: { metadata: { namespace: "demo" } } }, reference),
    keyOf({ image, auth: { username: "u", password: "p" } }, reference),
    keyOf({ image, auth: { username: "u", password: "q" } }, reference),
    keyOf({ image, auth: { username: "up", password: "" } }, reference),
    keyOf({ image, auth: { identityToken: "p" } }, reference),
  ];
  assert.equal(new Set(keys).size, keys.length);
});

test("a key says nothing about the credentials, and is another one in another process", () => {
  const message = { image, auth: { username: "reader", password: "open sesame" } };
  const key = keyOf(message, reference);
  assert.match(key, /^[\w-]{43}$/);
  assert.notEqual(createPullKeys()(message, reference), key);
});
