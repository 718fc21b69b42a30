/** What a request is told of names and forms that people bring along from Kubernetes and Docker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCallers } from "../../../src/cri/codec.ts";
import { allReplacements, examples, replacementFor } from "../../../src/cri/foreign-names.ts";
import { descriptors } from "../../../src/gen/descriptors.ts";
import type { Rpc } from "../../../src/gen/methods.ts";
import { messageOf } from "../../../src/wire/descriptor.ts";
import { createEncoder } from "../../../src/wire/encode.ts";
import { InvalidValue } from "../../../src/wire/invalid-value.ts";

const encode = createEncoder(descriptors);

/** The details of what is wrong with a request, by pointer. */
function detailsOf(rpc: Rpc, request: object): { readonly [pointer: string]: string } {
  try {
    encodeCallers(rpc, request);
  } catch (error) {
    assert.ok(error instanceof InvalidValue, String(error));
    return Object.fromEntries(error.mistakes.map(({ pointer, detail }) => [pointer, detail]));
  }
  return {};
}

test("every replacement is one that CRI's messages take, for a name that they do not have", () => {
  assert.ok(allReplacements.length > 150);
  for (const [message, name, replacement] of allReplacements) {
    const where = `${message}.${name}`;
    const fields = messageOf(descriptors, message).fields;
    assert.ok(!fields.some((field) => field.name === name || field.proto === name), where);
    if ("field" in replacement)
      assert.ok(
        fields.some((field) => field.name === replacement.field),
        where,
      );
    else if ("write" in replacement) assert.ok(encode(message, replacement.write).length > 0, where);
    else assert.match(replacement.say, /^[A-Za-z].*[^.]$/, where);
  }
});

test("every example is a value of its message or field", () => {
  for (const [place, value] of Object.entries(examples)) {
    const [message = "", field] = place.split(".");
    const example = field === undefined ? (value as object) : { [field]: value };
    assert.ok(Buffer.isBuffer(encode(message, example)), place);
  }
});

test("replacementFor() takes a name in any spelling", () => {
  for (const name of ["mountPath", "mount_path", "MountPath", "mount-path"])
    assert.deepEqual(replacementFor("Mount", name), { field: "containerPath" }, name);
  for (const [message, name] of [
    ["Mount", "mountPat"],
    ["Mount", "constructor"],
    ["NoSuchMessage", "name"],
    ["Mount", "m".repeat(100_000)],
  ] as const) {
    assert.equal(replacementFor(message, name), undefined);
  }
});

const create = (config: object) => detailsOf("RuntimeService/CreateContainer", { config });
const named = { metadata: { name: "a" }, image: "busybox:1.36" };

test("encodeCallers() names CRI's field for Kubernetes' and Docker's, at any depth", () => {
  const { "/config/ports": ports, ...others } = create({
    ...named,
    mounts: [{ mountPath: "/x", hostPath: "/y" }],
    env: [],
    ports: [],
    linux: { security_context: { capabilities: { add: ["NET_ADMIN"] } } },
  });
  assert.deepEqual(others, {
    "/config/mounts/0/mountPath": "is not known: write containerPath instead",
    "/config/env": 'is not known: write {"envs": [{"key": "LANG", "value": "C.UTF-8"}]}',
    "/config/linux/security_context/capabilities/add": "is not known: write addCapabilities instead",
  });
  assert.match(ports ?? "", /^is not known: it belongs to the pod, as portMappings of POST/);
  const pod = detailsOf("RuntimeService/RunPodSandbox", { config: { hostNetwork: true } });
  assert.deepEqual(pod, {
    "/config/hostNetwork":
      'is not known: write {"linux": {"securityContext": {"namespaceOptions": {"network": "NODE"}}}}',
  });
});

test("encodeCallers() shows the form of a value of another type", () => {
  const keyValue = '{"key": "LANG", "value": "C.UTF-8"}';
  for (const [config, pointer, detail] of [
    [{ envs: ["A=b"] }, "/config/envs/0", `must be an object, got a string: write ${keyValue}`],
    [{ envs: { A: "b" } }, "/config/envs", `must be a list, got an object: write [${keyValue}]`],
    [{ command: "sleep 10" }, "/config/command", 'must be a list, got "sleep 10": write ["sleep", "3600"]'],
    [{ labels: ["app=web"] }, "/config/labels", 'must be an object, got a list: write {"app": "web"}'],
    [
      { linux: { securityContext: { runAsUser: 1000 } } },
      "/config/linux/securityContext/runAsUser",
      'must be an object, got a number: write {"value": "1000"}',
    ],
    [
      { linux: { resources: { memory_limit_in_bytes: "512Mi" } } },
      "/config/linux/resources/memory_limit_in_bytes",
      'must be int64, an integer as a decimal string or a number, got "512Mi": write "67108864"',
    ],
    [{ metadata: "a" }, "/config/metadata", 'must be an object, got a string: write {"name": "app"}'],
  ] as const) {
    assert.equal(create({ ...named, ...config })[pointer], detail);
  }
});

test("encodeCallers() leaves mistakes alone that nobody foresaw, and secrets out", () => {
  assert.match(create({ ...named, imagee: "x" })["/config/imagee"] ?? "", /did you mean image\?/);
  assert.deepEqual(create({ ...named, labels: { a: 1 } }), {
    "/config/labels/a": "must be a string, got 1",
  });
  const secret = "a-value-that-is-secret";
  const details = Object.values(create({ ...named, envs: [{ key: "A", value: [secret] }, secret] }));
  assert.equal(details.length, 2);
  assert.ok(!details.join().includes(secret));
});
