import assert from "node:assert/strict";
import { test } from "node:test";
import { isLocalPeer, peerKey } from "../../../src/limits/peer-address.ts";

test("peerKey() has one key for an IPv4 address, however it is written", () => {
  assert.equal(peerKey("192.0.2.7"), "192.0.2.7");
  assert.equal(peerKey("::ffff:192.0.2.7"), "192.0.2.7");
  assert.notEqual(peerKey("192.0.2.8"), peerKey("192.0.2.7"));
});

test("peerKey() has one key for all addresses of an IPv6 /64", () => {
  const key = peerKey("2001:db8:1:2::1");
  for (const address of ["2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:0:0:0:9", "2001:db8:1:2::1%eth0"])
    assert.equal(peerKey(address), key, address);
  for (const address of ["2001:db8:1:3::1", "2001:db8:0:2::1", "2001:db8:1::2:0:0:1", "2001:db8::1:2"])
    assert.notEqual(peerKey(address), key, address);
  assert.equal(peerKey("fe80::1%eth0"), peerKey("fe80::2%eth1"));
  assert.equal(peerKey("2001:db8::"), peerKey("2001:db8::5"));
});

test("peerKey() tells this machine from its network, and has no key for a Unix socket", () => {
  assert.notEqual(peerKey("::1"), peerKey("::2"));
  assert.equal(peerKey(undefined), undefined);
  const local = ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"];
  assert.ok(local.every((address) => isLocalPeer(peerKey(address) ?? "")));
  const others = ["10.127.0.1", "::2", "2001:db8::1", "128.0.0.1"];
  assert.ok(others.every((address) => !isLocalPeer(peerKey(address) ?? "")));
});
