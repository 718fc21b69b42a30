import assert from "node:assert/strict";
import { test } from "node:test";
import { pathsOf } from "../../../src/embedded/paths.ts";
import { StartError } from "../../../src/errors.ts";

test("pathsOf() names the network after the folder, short enough for a link", () => {
  const { network } = pathsOf("/var/lib/crest");
  assert.match(network, /^crest-[0-9a-f]{8}$/);
  assert.ok(network.length <= 15);
  assert.notEqual(network, pathsOf("/var/lib/crest2").network);
});

test("pathsOf() refuses a folder whose sockets' paths Linux would not take, counted in bytes", () => {
  const longest = `/${"x".repeat(107 - "//containerd.sock.ttrpc".length)}`;
  assert.equal(pathsOf(longest).socket, `${longest}/containerd.sock`);
  assert.throws(() => pathsOf(`${longest}x`), StartError);
  assert.throws(() => pathsOf(`${longest.slice(0, -1)}ä`), /is 1 bytes too long/);
});
