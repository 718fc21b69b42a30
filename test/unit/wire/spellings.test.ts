import assert from "node:assert/strict";
import { test } from "node:test";
import { spellingsIn } from "../../../src/cri/codec.ts";

const both = (value: unknown) => {
  const { json, proto } = spellingsIn("CreateContainerRequest", value);
  return [json && "json", proto && "proto"].filter(Boolean).join(" and ") || "neither";
};

test("spellings() tells which names a value has, wherever they stand", () => {
  for (const [value, names] of [
    [{}, "neither"],
    [null, "neither"],
    ["text", "neither"],
    [{ config: { metadata: { name: "a" }, labels: { log_path: "x", logPath: "y" } } }, "neither"],
    [{ podSandboxId: "a" }, "json"],
    [{ pod_sandbox_id: "a" }, "proto"],
    [{ config: { log_path: null } }, "proto"],
    [{ config: { mounts: [{ hostPath: "/a" }, { host_path: "/b" }] } }, "json and proto"],
    [{ config: { linux: { security_context: { run_as_user: {} } } } }, "proto"],
    [{ config: { unknown: { log_path: "" }, log_path: "" }, sandboxConfig: {} }, "json and proto"],
    // These are the same in both.
    [{ config: { mounts: [{ uidMappings: [] }] } }, "neither"],
    [{ config: { CDI_devices: [] } }, "proto"],
    [{ config: { CDIDevices: [] } }, "json"],
    // What has another type says nothing of what is inside.
    [{ config: [[[{ log_path: "" }]]] }, "proto"],
    [{ config: { mounts: "log_path", image: "log_path" } }, "neither"],
    [JSON.parse('{"__proto__": {"pod_sandbox_id": 1}}'), "neither"],
  ] as const)
    assert.equal(both(value), names, JSON.stringify(value));
});
