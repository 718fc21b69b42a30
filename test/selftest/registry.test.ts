import assert from "node:assert/strict";
import { test } from "node:test";
import { hasRegistry, pushImage, registryUser, startRegistry } from "../support/registry.ts";
import { tinyImage } from "../support/tiny-image.ts";

const skip = hasRegistry ? false : "the Debian package docker-registry is not installed";

test("an image is pushed and found again, byte for byte", { skip }, async (t) => {
  const registry = await startRegistry();
  t.after(() => registry.close());
  for (const format of ["oci", "docker"] as const) {
    const image = tinyImage({ format });
    const digest = await pushImage(registry, image, { name: "team/tiny", tag: format });
    const answer = await fetch(`http://${registry.address}/v2/team/tiny/manifests/${format}`, {
      headers: { accept: image.manifest.mediaType },
    });
    assert.equal(answer.headers.get("docker-content-digest"), digest);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), Buffer.from(image.manifest.bytes));
    for (const blob of image.blobs) {
      const stored = await fetch(`http://${registry.address}/v2/team/tiny/blobs/${blob.digest}`);
      assert.deepEqual(Buffer.from(await stored.arrayBuffer()), Buffer.from(blob.bytes));
    }
  }
});

test("a registry with a password refuses strangers", { skip }, async (t) => {
  const registry = await startRegistry({ auth: true });
  t.after(() => registry.close());
  const image = tinyImage({ content: "secret\n" });
  const target = { name: "tiny", tag: "1" };
  await assert.rejects(pushImage(registry, image, target), /401/);
  const wrong = { ...registryUser, password: "wrong" };
  await assert.rejects(pushImage(registry, image, { ...target, auth: wrong }), /401/);
  await pushImage(registry, image, { ...target, auth: registryUser });
});
