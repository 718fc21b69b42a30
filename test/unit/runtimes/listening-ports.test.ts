import assert from "node:assert/strict";
import { test } from "node:test";
import { portsIn } from "../../../src/runtimes/listening-ports.ts";

test("portsIn() answers the listening sockets of both families, and no others", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0",
    "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1",
    "   2: 00000000000000000000000001000000:2328 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 3 1 0",
    "",
  ].join("\n");
  assert.deepEqual(portsIn(table), [80, 9000]);
  assert.deepEqual(portsIn(""), []);
});
