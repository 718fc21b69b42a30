/** Which cgroup driver a runtime uses, from the one or the other place where it says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { GatewayError } from "../../../src/errors.ts";
import { cgroupDriver } from "../../../src/runtimes/cgroup-driver.ts";
import { serviceError, stubRuntime } from "../cri/stub-runtime.ts";

for (const driver of ["SYSTEMD", "CGROUPFS"] as const) {
  test(`RuntimeConfig says ${driver}`, async () => {
    const runtime = stubRuntime({
      "RuntimeService/RuntimeConfig": () => ({ linux: { cgroupDriver: driver } }),
    });
    assert.equal(await cgroupDriver(runtime), driver);
    assert.deepEqual(runtime.called, ["RuntimeService/RuntimeConfig"]);
  });
}

/** containerd's configuration, as its verbose status shows it. */
const statusOf = (config: unknown) => ({
  "RuntimeService/Status": () => ({
    info: { config: typeof config === "string" ? config : JSON.stringify(config) },
  }),
});
const runc = (SystemdCgroup: boolean, name = "runc") => ({
  containerd: { defaultRuntimeName: name, runtimes: { [name]: { options: { SystemdCgroup } } } },
});

const told: readonly (readonly [string, unknown, string])[] = [
  ["with systemd", runc(true), "SYSTEMD"],
  ["without", runc(false), "CGROUPFS"],
  ["with systemd, for a default runtime of another name", runc(true, "kata"), "SYSTEMD"],
  [
    "that names no default runtime",
    { containerd: { runtimes: { runc: { options: { SystemdCgroup: true } } } } },
    "SYSTEMD",
  ],
  [
    "with systemd for another than the default runtime",
    {
      containerd: {
        defaultRuntimeName: "runc",
        runtimes: { runc: {}, kata: { options: { SystemdCgroup: true } } },
      },
    },
    "CGROUPFS",
  ],
  ["that says nothing of runtimes", { snapshotter: "overlayfs" }, "CGROUPFS"],
  ["that is no JSON", "{", "CGROUPFS"],
  ["that is null", "null", "CGROUPFS"],
];

for (const [what, config, driver] of told) {
  test(`a configuration ${what} is ${driver}, where there is no RuntimeConfig`, async () => {
    const runtime = stubRuntime(statusOf(config));
    assert.equal(await cgroupDriver(runtime), driver);
    assert.deepEqual(runtime.called, ["RuntimeService/RuntimeConfig", "RuntimeService/Status"]);
  });
}

test("a runtime that tells nothing uses cgroupfs", async () => {
  assert.equal(await cgroupDriver(stubRuntime({ "RuntimeService/Status": () => ({}) })), "CGROUPFS");
  const windows = { "RuntimeService/RuntimeConfig": () => ({}), "RuntimeService/Status": () => ({}) };
  assert.equal(await cgroupDriver(stubRuntime(windows)), "CGROUPFS");
});

test("it is asked once, and again behind a lost connection", async () => {
  let driver: "SYSTEMD" | "CGROUPFS" = "CGROUPFS";
  const runtime = stubRuntime({
    "RuntimeService/RuntimeConfig": () => ({ linux: { cgroupDriver: driver } }),
  });
  assert.deepEqual(await Promise.all([cgroupDriver(runtime), cgroupDriver(runtime)]), [
    "CGROUPFS",
    "CGROUPFS",
  ]);
  driver = "SYSTEMD";
  assert.equal(await cgroupDriver(runtime), "CGROUPFS");
  assert.equal(runtime.called.length, 1);
  runtime.drop();
  assert.equal(await cgroupDriver(runtime), "SYSTEMD");
  assert.equal(runtime.called.length, 2);
});

test("a failure is told, and not remembered", async () => {
  let down = true;
  const runtime = stubRuntime({
    "RuntimeService/RuntimeConfig": () =>
      down ? serviceError(status.UNAVAILABLE, "gone") : { linux: { cgroupDriver: "SYSTEMD" } },
  });
  await assert.rejects(cgroupDriver(runtime), (error: GatewayError) => error.code === "runtime_unavailable");
  down = false;
  assert.equal(await cgroupDriver(runtime), "SYSTEMD");
});
