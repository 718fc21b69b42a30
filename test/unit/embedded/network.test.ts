import assert from "node:assert/strict";
import { test } from "node:test";
import { cniConfig, cniRecords } from "../../../src/embedded/network.ts";
import { pathsOf } from "../../../src/embedded/paths.ts";
import { parseSubnet } from "../../../src/embedded/subnet.ts";

test("cniConfig() has the bridge, the subnet's first address as gateway, and records in the data folder", () => {
  const paths = pathsOf("/data");
  const config = JSON.parse(cniConfig(paths, parseSubnet("10.88.7.0/24") ?? assert.fail()));
  const [bridge, portmap] = config.plugins;
  assert.equal(config.name, paths.network);
  assert.equal(bridge.bridge, paths.network);
  assert.deepEqual(bridge.ipam.ranges, [[{ subnet: "10.88.7.0/24", gateway: "10.88.7.1" }]]);
  assert.equal(bridge.ipam.dataDir, "/data/cni-addresses");
  assert.deepEqual(portmap, { type: "portmap", capabilities: { portMappings: true } });
});

test("cniRecords() takes a network's records and its pods' loopback, and nobody else's", () => {
  const records = [
    "cni-loopback-aa-lo",
    "cni-loopback-bb-lo",
    "crest-1-aa-eth0",
    "crest-12-bb-eth0",
    "kubenet-cc-eth0",
  ];
  assert.deepEqual(cniRecords("crest-1", records), ["crest-1-aa-eth0", "cni-loopback-aa-lo"]);
  assert.deepEqual(cniRecords("crest-2", records), []);
});
