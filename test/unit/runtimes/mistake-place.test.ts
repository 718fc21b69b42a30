import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { methods, type Rpc } from "../../../src/gen/methods.ts";
import { mistakePatterns } from "../../../src/runtimes/mistake-patterns.ts";
import { mistakePlace } from "../../../src/runtimes/mistake-place.ts";

const create = "RuntimeService/CreateContainer";
const run = "RuntimeService/RunPodSandbox";
const place = (rpc: Rpc, request: object, at: readonly string[], text = "") =>
  mistakePlace(rpc, request, { at, text });

test("mistakePlace() points to the first field that the request has, as it spells it", () => {
  const at = ["/config/linux/resources/cpusetCpus", "/config/workingDir"];
  assert.equal(
    place(create, { config: { linux: { resources: { cpuset_cpus: "9" } } } }, at),
    "/config/linux/resources/cpuset_cpus",
  );
  assert.equal(place(create, { config: { working_dir: "/x", linux: null } }, at), "/config/working_dir");
  for (const request of [{}, { config: {} }, { config: { linux: { resources: { cpusetCpus: "" } } } }])
    assert.equal(place(create, request, at), undefined);
});

test("mistakePlace() points to the item whose field the text repeats, to the longest of several", () => {
  const at = ["/config/mounts/[hostPath]/propagation"];
  const mounts = [
    { hostPath: "/a", propagation: 1 },
    { host_path: "/a/b", propagation: 1 },
    { hostPath: "/c", propagation: 1 },
  ];
  assert.equal(
    place(create, { config: { mounts } }, at, 'path "/a/b" is mounted'),
    "/config/mounts/1/propagation",
  );
  assert.equal(
    place(create, { config: { mounts } }, at, 'path "/a" is mounted'),
    "/config/mounts/0/propagation",
  );
  assert.equal(place(create, { config: { mounts } }, at, "something is mounted"), "/config/mounts");
  assert.equal(place(create, { config: {} }, at, 'path "/a" is mounted'), undefined);
});

test("mistakePlace() points to keys of maps and items of lists of texts", () => {
  const sysctls = { "net.ipv4.a": "1", "net.ipv4.a~/b": "2" };
  const at = ["/config/linux/sysctls/[]"];
  assert.equal(
    place(run, { config: { linux: { sysctls } } }, at, "open /proc/sys/net/ipv4/a: no"),
    "/config/linux/sysctls/net.ipv4.a",
  );
  assert.equal(
    place(run, { config: { linux: { sysctls } } }, at, 'sysctl "net.ipv4.a~/b"'),
    "/config/linux/sysctls/net.ipv4.a~0~1b",
  );
  const config = { linux: { securityContext: { capabilities: { addCapabilities: ["KILL", "BPF"] } } } };
  const added = ["/config/linux/securityContext/capabilities/addCapabilities/[]"];
  assert.equal(
    place(create, { config }, added, 'unknown capability "CAP_BPF"'),
    `${added[0]?.slice(0, -2)}1`,
  );
});

/** Whether the parts lead to a field of the message. */
function leads(message: string, [part, ...rest]: readonly string[]): boolean {
  if (part === undefined) return true;
  if (/^\[\w*\]$/.test(part)) return leads(message, rest);
  const field = descriptors.messages[message]?.fields.find(({ name }) => name === part);
  return field !== undefined && leads(field.kind === "message" ? field.type : message, rest);
}

test("every place of a pattern is a field of a request that the pattern belongs to", () => {
  for (const { at = [], of = [] } of mistakePatterns) {
    for (const pointer of at) {
      const found = of.some((rpc) => leads(methods[rpc].request, pointer.split("/").slice(1)));
      assert.ok(found, pointer);
    }
  }
});
