/** Which of containerd's manifests is that of a pull, and what it says. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { ContainerdClient } from "../../../src/containerd/client.ts";
import type { ContentInfo } from "../../../src/gen/containerd/messages.ts";
import { chainIdsOf, findManifest, type Wanted } from "../../../src/pulls/containerd-manifest.ts";

const digestOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const options = { deadlineMs: 1000 };
const [config, one, two] = [digestOf("config"), digestOf("layer 1"), digestOf("layer 2")];
const manifest = {
  config: { digest: config },
  layers: [
    { digest: one, size: 10 },
    { digest: two, size: 20 },
  ],
};
const sinceNanos = 2_000_000_000_000_000_000n;

function info(text: string, { isOld = false, source = "quay.io", name = "team/app" } = {}): ContentInfo {
  return {
    digest: digestOf(text),
    size: "1",
    createdAt: { seconds: isOld ? "1999999999" : "2000000001", nanos: 0 },
    updatedAt: { seconds: "-62135596800", nanos: 0 },
    labels: {
      "containerd.io/gc.ref.content.config": config,
      "containerd.io/gc.ref.content.l.0": one,
      "containerd.io/gc.ref.content.l.1": two,
      [`containerd.io/distribution.source.${source}`]: name,
    },
  };
}

function clientOf(
  infos: readonly ContentInfo[],
  blobs: { readonly [digest: string]: string },
): ContainerdClient {
  const stream = async function* (rpc: string, request: { readonly digest?: string }) {
    if (rpc === "Content/List") yield { info: infos };
    else yield { offset: "0", data: Buffer.from(blobs[request.digest ?? ""] ?? "").toString("base64") };
  };
  return { call: () => assert.fail("no unary call"), stream } as ContainerdClient;
}

const find = (infos: readonly ContentInfo[], wanted: Partial<Wanted> = {}, text = JSON.stringify(manifest)) =>
  findManifest(
    clientOf(infos, Object.fromEntries(infos.map(({ digest }) => [digest, text]))),
    { reference: "quay.io/team/app:1", sinceNanos, written: new Set(), ...wanted },
    options,
  );

test("findManifest() finds the one of the repository that was written since the pull began", async () => {
  const found = await find([
    info("new"),
    info("older", { isOld: true }),
    info("elsewhere", { source: "docker.io" }),
    info("other name", { name: "team/other,team/app2" }),
  ]);
  assert.deepEqual(found, {
    config,
    layers: [
      { digest: one, sizeBytes: 10 },
      { digest: two, sizeBytes: 20 },
    ],
    digests: [one, two],
  });
});

test("findManifest() finds an older one by its digest, by a layer that is being written, or by the id", async () => {
  const infos = [info("older", { isOld: true })];
  assert.equal(await find(infos), undefined);
  assert.ok(await find(infos, { reference: `quay.io/team/app@${digestOf("older")}` }));
  assert.ok(await find(infos, { written: new Set([two]) }));
  assert.ok(await find(infos, { imageId: config }));
  assert.equal(await find(infos, { imageId: one }), undefined);
});

test("findManifest() compares hosts without their port, as containerd records them", async () => {
  const infos = [info("new", { source: "127.0.0.1" })];
  assert.ok(await find(infos, { reference: "127.0.0.1:5000/team/app:1" }));
});

test("findManifest() claims nothing when more than one could be meant, or it is no manifest", async () => {
  assert.equal(await find([info("new"), info("new too")]), undefined);
  for (const text of [
    "",
    "null",
    "[]",
    "{",
    JSON.stringify({ ...manifest, config: { digest: 'a" or b' } }),
    JSON.stringify({ ...manifest, layers: [{ digest: one, size: -1 }] }),
    JSON.stringify({ ...manifest, layers: [{ digest: "sha256:zz", size: 1 }] }),
    JSON.stringify({ ...manifest, layers: [null] }),
    JSON.stringify({ ...manifest, layers: Array.from({ length: 1025 }, () => ({ digest: one, size: 1 })) }),
    "x".repeat(5 * 1024 * 1024),
  ])
    assert.equal(await find([info("new")], {}, text), undefined, text.slice(0, 60));
});

test("chainIdsOf() has each layer's snapshot, and nothing if the configuration does not fit", async () => {
  const layers = [{ digest: one, sizeBytes: 1 }];
  const diffIds = [digestOf("a"), digestOf("b"), digestOf("b")];
  const digests = [one, two, two];
  const chain = (ids: readonly unknown[]) =>
    chainIdsOf(
      clientOf([], { [config]: JSON.stringify({ rootfs: { diff_ids: ids } }) }),
      { config, layers, digests },
      options,
    );
  assert.deepEqual(
    await chain(diffIds),
    new Map([
      [one, diffIds[0]],
      [two, digestOf(`${diffIds[0]} ${diffIds[1]}`)],
    ]),
  );
  assert.equal(await chain(diffIds.slice(1)), undefined);
  assert.equal(await chain(["x", "y", "z"]), undefined);
});
