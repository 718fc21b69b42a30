import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilityMistake, plainCapabilities } from "../../../src/cri/capability-names.ts";

test("capabilityMistake() takes the names of Linux in every spelling that a runtime takes", () => {
  for (const name of [
    "NET_ADMIN",
    "CAP_NET_ADMIN",
    "net_admin",
    "cap_bpf",
    "CHECKPOINT_RESTORE",
    "ALL",
    "all",
  ])
    assert.equal(capabilityMistake(name), undefined, name);
});

test("capabilityMistake() names what was probably meant", () => {
  assert.match(capabilityMistake("NET_ADMIM") ?? "", /did you mean "NET_ADMIN"\?\), got "NET_ADMIM"$/);
  assert.match(capabilityMistake("root please") ?? "", /such as "NET_ADMIN", or "ALL"\), got "root please"$/);
  for (const name of ["", "CAP_", "CAP_CAP_CHOWN", "NET ADMIN"]) assert.ok(capabilityMistake(name), name);
});

test("plainCapabilities() writes names without CAP_ and in capitals", () => {
  const given = { addCapabilities: ["CAP_NET_ADMIN", "all"], dropCapabilities: ["cap_chown"] };
  assert.deepEqual(plainCapabilities(given), {
    addCapabilities: ["NET_ADMIN", "ALL"],
    dropCapabilities: ["CHOWN"],
    addAmbientCapabilities: [],
  });
});
