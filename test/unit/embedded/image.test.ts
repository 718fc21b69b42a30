import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { buildArchive, buildImage, type ImageSpec, platformOf } from "../../../src/embedded/image.ts";

const spec: ImageSpec = {
  entries: [{ kind: "file", path: "hello", mode: 0o644, bytes: Buffer.from("hello\n") }],
  env: ["A=b"],
  cmd: ["sh"],
  platform: { os: "linux", architecture: "amd64" },
};

const skip = spawnSync("tar", ["--version"]).status === 0 ? false : "needs tar(1)";

test("buildImage() gives the same digests on every machine and at every time", () => {
  const image = buildImage(spec);
  assert.equal(image.manifest.digest, buildImage(spec).manifest.digest);
  assert.equal(
    image.manifest.digest,
    "sha256:af3e9c56a183791f924445106ffe5a27cf3e5e9edf920673168ad5f9c123b18d",
  );
});

test("buildImage() describes its blobs by digest and size", () => {
  const { manifest, config, layers } = buildImage(spec);
  const [layer] = layers;
  assert.ok(layer);
  for (const { digest, bytes } of [manifest, config, layer]) {
    assert.equal(digest, `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  }
  assert.deepEqual(JSON.parse(manifest.bytes.toString()), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: config.mediaType, digest: config.digest, size: config.bytes.length },
    layers: [{ mediaType: layer.mediaType, digest: layer.digest, size: layer.bytes.length }],
  });
  assert.deepEqual(JSON.parse(config.bytes.toString()), {
    created: "1970-01-01T00:00:00Z",
    os: "linux",
    architecture: "amd64",
    config: { Env: ["A=b"], Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
});

test("buildArchive() is an OCI layout that names each image as often as it has names", { skip }, () => {
  const image = buildImage(spec);
  const archive = buildArchive([{ names: ["a.local/x:1", "a.local/x:latest"], image }]);
  const read = (...args: string[]) => spawnSync("tar", [...args], { input: archive }).stdout.toString();
  const [layer] = image.layers;
  const blobs = [layer, image.config, image.manifest].map(
    (blob) => `blobs/${blob?.digest.replace(":", "/")}`,
  );
  assert.deepEqual(read("-tf", "-").trim().split("\n"), [
    "oci-layout",
    "blobs/",
    "blobs/sha256/",
    ...blobs,
    "index.json",
  ]);
  assert.deepEqual(JSON.parse(read("-xOf", "-", "oci-layout")), { imageLayoutVersion: "1.0.0" });
  const index = JSON.parse(read("-xOf", "-", "index.json"));
  assert.deepEqual(
    index.manifests.map((manifest: { digest: string; annotations: object }) => [
      manifest.digest,
      manifest.annotations,
    ]),
    ["a.local/x:1", "a.local/x:latest"].map((name) => [
      image.manifest.digest,
      { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
    ]),
  );
});

test("platformOf() turns Node's names of machines into Go's", () => {
  assert.deepEqual(platformOf("x64"), { os: "linux", architecture: "amd64" });
  assert.deepEqual(platformOf("arm64"), { os: "linux", architecture: "arm64" });
  assert.deepEqual(platformOf("arm"), { os: "linux", architecture: "arm", variant: "v7" });
});
