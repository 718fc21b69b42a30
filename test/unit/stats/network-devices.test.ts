/** The traffic of interfaces, as the kernel writes it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { networkOf, parseNetworkDevices } from "../../../src/stats/network-devices.ts";

const head =
  "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";

test("each interface but loopback has its columns", () => {
  const text = `${head}    lo:       9       9    0    0    0     0          0         0        9       9    0    0    0     0       0          0\n  eth0:    1402      15    1    2    0     0          0         0      472       6    3    4    0     0       0          0\n`;
  assert.deepEqual(parseNetworkDevices(text), [
    {
      name: "eth0",
      ...{ receivedBytes: 1402, receivedPackets: 15, receiveErrors: 1, receiveDropped: 2 },
      ...{ sentBytes: 472, sentPackets: 6, sendErrors: 3, sendDropped: 4 },
    },
  ]);
});

test("a pod that makes a thousand interfaces is told with sixteen", () => {
  const lines = Array.from({ length: 1000 }, (_, n) => `  i${n}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n`).join("");
  assert.equal(parseNetworkDevices(head + lines).length, 16);
  assert.deepEqual(parseNetworkDevices("nonsense\n\n\n"), []);
});

test("the gateway's own network is nobody's, and no process has none", () => {
  assert.deepEqual(networkOf(process.pid), []);
  assert.equal(networkOf(2 ** 30), undefined);
});
