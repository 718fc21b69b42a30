/** The published texts: what an operation does here, not what CRI's RPC does on some runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDescribe, operations, overridden } from "../../../src/codegen/openapi/descriptions.ts";
import { requestRules } from "../../../src/cri/request-rules.ts";
import { errorTable } from "../../../src/errors.ts";
import { comments } from "../../../src/gen/comments.ts";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { entryOf, routes } from "../../../src/routes/index.ts";
import { publishedDocument } from "../../support/openapi-document.ts";

const document = publishedDocument();
const published = Object.values(document.paths).flatMap((item) => Object.values(item));

/** Every description in the document, with its JSON pointer. */
function* descriptionsIn(value: unknown, pointer = ""): Generator<readonly [pointer: string, text: string]> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    if (key === "description" && typeof part === "string") yield [pointer, part];
    else yield* descriptionsIn(part, `${pointer}/${key}`);
  }
}

test("every operation has a description of its own, and each description an operation", () => {
  assert.deepEqual(Object.keys(operations).sort(), routes.map(({ id }) => id).sort());
  for (const { id } of routes) assert.match(entryOf(operations, id) ?? "", /^[A-Z].*[.`)]$/s, id);
});

test("every text that replaces a comment of CRI has one to replace", () => {
  assert.deepEqual(
    overridden.filter((name) => comments[name] === undefined),
    [],
  );
});

test("descriptions speak of HTTP: no gRPC codes, no URL that only the gateway sees", () => {
  const codes = /\b(OK with|NOT_FOUND|UNIMPLEMENTED|UNKNOWN|INVALID_ARGUMENT|RESOURCE_EXHAUSTED)\b(?!`)/;
  const wrong = [...descriptionsIn(document)].filter(
    ([, text]) =>
      codes.test(text.replaceAll("CONTAINER_UNKNOWN", "")) ||
      /one-time URL|in no particular order|is OK\b|crashes/.test(text),
  );
  assert.deepEqual(wrong, []);
});

test("descriptions name fields as JSON has them", () => {
  const snake = new Set(
    Object.values(descriptors.messages).flatMap(({ fields }) =>
      fields.map(({ proto }) => proto).filter((name) => name.includes("_")),
    ),
  );
  snake.delete("no_new_privs");
  const wrong = [...descriptionsIn(document)].filter(([, text]) =>
    [...text.matchAll(/[a-z]+(?:_[a-z]+)+/g)].some(([name]) => snake.has(name)),
  );
  assert.deepEqual(wrong, []);
});

test("createDescribe() names operations in place of RPCs, and JSON's names in place of CRI's", () => {
  const describe = createDescribe(routes);
  assert.match(describe("ContainerConfig.stopSignal") ?? "", /^Signal that `stopContainer` sends first/);
  assert.match(describe("Mount.readonly") ?? "", /unless `recursiveReadOnly` is set too/);
  assert.match(describe("LinuxContainerSecurityContext.noNewPrivs") ?? "", /kernel's `no_new_privs` flag/);
  assert.equal(describe("NoSuchMessage"), undefined);
});

test("a code that a description names is one that the operation answers with, under its status", () => {
  let named = 0;
  for (const { operationId, description = "", responses } of published) {
    for (const [, status = "", code = ""] of description.matchAll(/\b([45]\d\d) `(\w+)`/g)) {
      named++;
      assert.equal(
        String(errorTable[code as keyof typeof errorTable]?.status),
        status,
        `${operationId}: ${code}`,
      );
      assert.match(
        responses[status]?.description ?? "",
        new RegExp(`\`${code}\``),
        `${operationId}: ${code}`,
      );
    }
    for (const [, status = ""] of description.matchAll(/\bis (4\d\d|5\d\d)\b/g))
      assert.ok(status in responses, `${operationId}: ${status}`);
  }
  assert.ok(named > 15, String(named));
});

test("a body's field is marked as required exactly when the request is refused without it", () => {
  const bodyOf = new Map<string, string>();
  for (const [message, fields] of Object.entries(requestRules)) {
    const required = Object.entries(fields).flatMap(([field, rule]) =>
      rule.required !== undefined && rule.unless === undefined ? [field] : [],
    );
    bodyOf.set(message, required.sort().join());
  }
  const components = document.components.schemas;
  for (const [component, message] of [
    ["RunPodBody", "PodSandboxConfig"],
    ["CreateContainerBody", "ContainerConfig"],
    ["ContainerConfig", "ContainerConfig"],
    ["PodSandboxMetadataInput", "PodSandboxMetadata"],
    ["ContainerMetadataInput", "ContainerMetadata"],
    ["PullImageRequest", "PullImageRequest"],
    ["ImageSpecInput", "ImageSpec"],
    ["ExecSyncBody", "ExecSyncRequest"],
    ["UpdateContainerResourcesBody", "UpdateContainerResourcesRequest"],
    ["RestorePodRequest", "RestorePodRequest"],
    ["KeyValue", "KeyValue"],
    ["MountInput", "Mount"],
    ["Device", "Device"],
  ] as const) {
    assert.equal([...(components[component]?.required ?? [])].sort().join(), bodyOf.get(message), component);
  }
  // A pull takes a pod's configuration without a name, so that it cannot be required wherever one stands.
  assert.equal(components.PodSandboxConfig?.required, undefined);
});
