/** Registries that refuse, fail and send what they should not: the problem says what, on the real containerd. */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { busyboxImage, readBusybox } from "../../src/embedded/busybox.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { eventually } from "../support/eventually.ts";
import {
  type FaultyRegistry,
  type RegistryFault,
  type RegistryRequest,
  startFaultyRegistry,
} from "../support/faulty-registry.ts";
import { digestOf, type PushableImage } from "../support/registry.ts";
import { type Answer, bodyOf, problemOf } from "./support/api.ts";
import { smallImage } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import { newName } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);

/** An image that no other test has pulled: a runtime asks for nothing that it has. */
function newImage(): PushableImage {
  const { manifest, layers, config } = smallImage(newName());
  return { manifest, blobs: [...layers, config] };
}

/** Pulls from a registry with a fault. The name is no reason to believe anything. */
async function pullWith(fault: RegistryFault, image = newImage()): Promise<Answer<{ imageRef: string }>> {
  const registry: FaultyRegistry = await startFaultyRegistry(image);
  registry.fault = fault;
  try {
    return await crest().post("/v1/images/pull", {
      image: `${registry.address}/access-denied/x509:unauthorized`,
    });
  } finally {
    await registry.close();
  }
}

function send(response: ServerResponse, { method }: RegistryRequest, status: number, body: object): true {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(method === "HEAD" ? undefined : JSON.stringify(body));
  return true;
}

const errors = (code: string, message: string): object => ({ errors: [{ code, message }] });
const always =
  (status: number, body: object = {}): RegistryFault =>
  (request, response) =>
    send(response, request, status, body);
const ofBlobs =
  (fault: RegistryFault): RegistryFault =>
  (request, response) =>
    request.kind === "blob" && fault(request, response);
const ofGet =
  (fault: RegistryFault): RegistryFault =>
  (request, response) =>
    request.method === "GET" && fault(request, response);

/** As many bytes as promised, and other ones. */
const otherBytes: RegistryFault = (_request, response) => {
  response.end("not what the digest says");
  return true;
};
const cutShort: RegistryFault = (_request, response) => {
  response.writeHead(200, { "content-length": 1000 });
  response.write("x", () => response.socket?.destroy());
  return true;
};
const cutOff: RegistryFault = (_request, response) => {
  response.socket?.destroy();
  return true;
};
const reset: RegistryFault = (_request, response) => {
  response.socket?.resetAndDestroy();
  return true;
};
const webPage: RegistryFault = (_request, response) => {
  response.writeHead(200, { "content-type": "text/html" });
  response.end("<html></html>");
  return true;
};

const limitReached = errors("TOOMANYREQUESTS", "denied: you have reached your limit");

const faults: { readonly [what: string]: readonly [RegistryFault, number, ErrorCode] } = {
  "429 without a reason": [always(429), 429, "registry_rate_limited"],
  "429 with a reason, for a manifest": [ofGet(always(429, limitReached)), 429, "registry_rate_limited"],
  "429 for a layer": [ofBlobs(always(429, limitReached)), 429, "registry_rate_limited"],
  "500": [always(500), 502, "registry_failed"],
  "500 whose reason is about something else": [
    ofGet(always(500, errors("UNAUTHORIZED", "access denied"))),
    502,
    "registry_failed",
  ],
  "502": [always(502), 502, "registry_failed"],
  "503 for a layer": [ofBlobs(always(503)), 502, "registry_failed"],
  "504": [always(504), 502, "registry_failed"],
  "a connection that is reset": [reset, 502, "registry_failed"],
  "a connection that ends": [cutOff, 502, "registry_failed"],
  "a layer that ends early": [ofBlobs(cutShort), 502, "registry_failed"],
  "a web page": [webPage, 502, "registry_failed"],
  "401": [always(401), 422, "registry_unauthorized"],
  "403": [always(403), 422, "registry_unauthorized"],
  "404": [always(404), 404, "image_not_found"],
  "418": [always(418), 502, "runtime_error"],
};

for (const [what, [fault, status, code]] of Object.entries(faults)) {
  test(`a pull from a registry that answers ${what} is ${status} ${code}`, { skip }, async () => {
    const answer = await pullWith(fault);
    const problem = problemOf(answer, status, code);
    assert.equal(problem.retryable, code === "registry_rate_limited" || code === "registry_failed");
    assert.equal(answer.headers["retry-after"], code === "registry_rate_limited" ? "60" : undefined);
  });
}

test("a layer with other bytes than its digest says is the registry's fault, and worth another try", {
  skip,
}, async () => {
  const image = newImage();
  const lengths = new Map(image.blobs.map(({ digest, bytes }) => [digest, bytes.length]));
  const sameLength: RegistryFault = (request, response) => {
    response.end(Buffer.alloc(lengths.get(request.reference) ?? 0, "z"));
    return true;
  };
  const problem = problemOf(await pullWith(ofBlobs(sameLength), image), 502, "digest_mismatch");
  assert.match(problem.detail, /unexpected commit digest/);
  assert.equal(problem.retryable, true);
  // containerd goes on with what it received, until it has cleaned up behind the failed pull.
  await eventually(async () => (await pullWith(() => false, image)).status === 200);
});

test("a manifest with other bytes than its digest says is the registry's fault", { skip }, async () => {
  const image = newImage();
  const lying: RegistryFault = (request, response) => {
    if (request.kind !== "manifest") return false;
    response.writeHead(200, {
      "content-type": image.manifest.mediaType,
      "content-length": image.manifest.bytes.length,
      "docker-content-digest": `sha256:${"a".repeat(64)}`,
    });
    response.end(request.method === "HEAD" ? undefined : image.manifest.bytes);
    return true;
  };
  problemOf(await pullWith(lying, image), 502, "digest_mismatch");
  // A layer that is too long or too short is one, too.
  const code = String((await pullWith(ofBlobs(otherBytes))).text);
  assert.match(code, /"code":"(digest_mismatch|registry_failed)"/);
});

test("an image for another processor is 422, and said to be that", { skip }, async () => {
  const image = newImage();
  const { bytes, mediaType } = image.manifest;
  const digest = digestOf(bytes);
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [
        { mediaType, digest, size: bytes.length, platform: { os: "linux", architecture: "riscv64" } },
      ],
    }),
  );
  const foreign: RegistryFault = (request, response) => {
    if (request.kind !== "manifest" || request.reference === digest) return false;
    response.writeHead(200, {
      "content-type": "application/vnd.oci.image.index.v1+json",
      "content-length": index.length,
    });
    response.end(request.method === "HEAD" ? undefined : index);
    return true;
  };
  problemOf(await pullWith(foreign, image), 422, "platform_missing");
});

test("the same registry without a fault gives the image", { skip }, async () => {
  const { manifest, layers, config } = busyboxImage(await readBusybox());
  bodyOf(await pullWith(() => false, { manifest, blobs: [...layers, config] }));
});
