/** Images that a runtime would restore, and those that it would run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContainerdClient } from "../../../src/containerd/client.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createCheckpointFinder } from "../../../src/runtimes/checkpoint-images.ts";
import { stubRuntime } from "../cri/stub-runtime.ts";

const mark = "org.criu.checkpoint.container.name";
const older = "io.kubernetes.cri-o.annotations.checkpoint.name";
const [own, imported] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];

interface Node {
  readonly annotations?: { readonly [name: string]: string };
  /** The manifest that a name of the image leads to; null: it is not there. */
  readonly manifest?: string | null;
  /** One that only its configuration leads to. */
  readonly other?: string;
  readonly isContainerd?: boolean;
}

function clientOf({ manifest = "{}", other, isContainerd = true }: Node): ContainerdClient {
  const blobs = { [own]: manifest, [imported]: other ?? null };
  const stream = async function* (rpc: string, { digest = "" }: { readonly digest?: string }) {
    if (!isContainerd) throw new GatewayError("not_implemented", "no containerd");
    if (rpc === "Content/List") {
      yield { info: other === undefined ? [] : [{ digest: imported }] };
      return;
    }
    const blob = blobs[digest] ?? null;
    if (blob === null) throw new GatewayError("not_found", "no such blob");
    yield { offset: "0", data: Buffer.from(blob).toString("base64") };
  };
  return { call: () => assert.fail("no unary call"), stream } as unknown as ContainerdClient;
}

async function isFound(node: Node): Promise<boolean> {
  const runtime = stubRuntime({
    "ImageService/ImageStatus": () => ({
      image: {
        id: `sha256:${"c".repeat(64)}`,
        repoDigests: [`quay.io/team/app@${own}`],
        spec: { annotations: node.annotations ?? {} },
      },
    }),
  });
  const found = await createCheckpointFinder(runtime, clientOf(node))(["quay.io/team/app:1"]);
  return found.has("quay.io/team/app:1");
}

const annotated = (name: string) => JSON.stringify({ annotations: { [name]: "web" } });

test("an image is a checkpoint by an annotation of its manifest or index, of today or of older tools", async () => {
  assert.equal(await isFound({ manifest: annotated(mark) }), true);
  assert.equal(await isFound({ manifest: annotated(older) }), true);
  assert.equal(await isFound({ annotations: { [mark]: "web" }, isContainerd: false }), true);
  assert.equal(await isFound({ annotations: { [older]: "web" } }), true);
});

test("an image without one is none, on every runtime", async () => {
  assert.equal(await isFound({ manifest: annotated("org.opencontainers.image.title") }), false);
  assert.equal(await isFound({ isContainerd: false }), false);
  assert.equal(await isFound({ manifest: null }), false);
});

test("an image is a checkpoint if any of its manifests is one, also where no name leads to it", async () => {
  assert.equal(await isFound({ other: annotated(mark) }), true);
  assert.equal(await isFound({ other: annotated("other") }), false);
});

test("a manifest that containerd would read in another way than JSON says counts as a checkpoint", async () => {
  for (const [what, manifest] of [
    ["twice", `{"annotations":{"${mark}":"web"},"annotations":{}}`],
    ["another spelling", `{"ANNOTATIONS":{"${mark}":"web"}}`],
    ["escaped", `{"annotations":{"org.criu.checkpoint\\u002econtainer.name":"web"}}`],
    ["no JSON", `{"annotations":`],
    ["too large", `{"annotations":{"x":"${"x".repeat(4 * 1024 * 1024)}"}}`],
  ] as const)
    assert.equal(await isFound({ manifest }), true, what);
});

test("a failure of the runtime is no answer", async () => {
  const runtime = stubRuntime({
    "ImageService/ImageStatus": () => new GatewayError("runtime_unavailable", "gone"),
  });
  await assert.rejects(createCheckpointFinder(runtime, clientOf({}))(["quay.io/team/app:1"]), /gone/);
});
