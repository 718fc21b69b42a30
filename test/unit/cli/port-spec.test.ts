import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddresses, parsePort } from "../../../src/cli/forward/port-spec.ts";

test("parsePort() reads every form", () => {
  assert.deepEqual(parsePort("8080:80"), { localPort: 8080, podPort: 80 });
  assert.deepEqual(parsePort("80"), { localPort: 80, podPort: 80 });
  assert.deepEqual(parsePort(":80"), { localPort: 0, podPort: 80 });
  assert.deepEqual(parsePort("0:65535"), { localPort: 0, podPort: 65535 });
});

test("parsePort() says what would be right", () => {
  for (const wrong of [
    "",
    ":",
    "80:",
    "0",
    "8080:0",
    "70000",
    "70000:80",
    "-1",
    "1:2:3",
    "http",
    "8".repeat(65_536),
  ])
    assert.throws(
      () => parsePort(wrong),
      /^StartError: .{0,64}: expected a port from 1 to 65535: LOCAL:POD, such as/,
    );
});

test("parseAddresses() listens on both loopback addresses unless told otherwise", () => {
  assert.deepEqual(parseAddresses([]), ["127.0.0.1", "::1"]);
  assert.deepEqual(parseAddresses(["localhost", "127.0.0.1"]), ["127.0.0.1", "::1"]);
  assert.deepEqual(parseAddresses(["[::1],10.0.0.1", "0.0.0.0"]), ["::1", "10.0.0.1", "0.0.0.0"]);
  for (const wrong of ["", "a b", "127.0.0.1,", "x".repeat(65_536)])
    assert.throws(() => parseAddresses([wrong]), /^StartError: --address=.{0,64}: expected an address/);
});
