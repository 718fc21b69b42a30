/** How open files are shared between clients and the runtime's streams. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDescriptorLimit, shareDescriptors } from "../../../src/server/descriptors.ts";

test("shareDescriptors() gives sessions what they want and the rest to connections", () => {
  assert.deepEqual(shareDescriptors(1_048_576, 1000), { maxConnections: 1_047_448, maxStreams: 1000 });
});

test("shareDescriptors() never lets streams and connections together pass the limit", () => {
  for (const limit of [140, 256, 1024, 2128, 4096]) {
    const { maxConnections = 0, maxStreams } = shareDescriptors(limit, 1000);
    assert.ok(maxConnections + maxStreams <= limit - 128, `${limit}`);
    assert.ok(maxConnections >= maxStreams, `${limit}: each session needs a connection too`);
    assert.ok(maxStreams >= 1, `${limit}`);
  }
});

test("shareDescriptors() limits nothing where the limit is not known", () => {
  assert.deepEqual(shareDescriptors(undefined, 5), { maxConnections: undefined, maxStreams: 5 });
});

test("parseDescriptorLimit() reads the soft limit", () => {
  const text = (soft: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ${soft}                 524288               files     \n`;
  assert.equal(parseDescriptorLimit(text("1024")), 1024);
  assert.equal(parseDescriptorLimit(text("unlimited")), undefined);
  assert.equal(parseDescriptorLimit(""), undefined);
});
