import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bearerPrefix,
  channelCodec,
  isProtocolList,
  offeredProtocols,
  offeredToken,
  type Subprotocol,
  subprotocols,
} from "../../../src/streaming/channels.ts";

const base64 = channelCodec("v4.base64.channel.k8s.io");

test("v5, v4 and no subprotocol put the channel's byte before the payload", () => {
  for (const subprotocol of ["v5.channel.k8s.io", "v4.channel.k8s.io", undefined] as const) {
    const { encode, decode } = channelCodec(subprotocol);
    assert.deepEqual(encode(1, Buffer.from("out")), Buffer.from("\x01out"));
    assert.deepEqual(encode(2, Buffer.alloc(0)), Buffer.from([2]));
    assert.deepEqual(decode(Buffer.from("\x00in")), { channel: 0, payload: Buffer.from("in") });
    assert.deepEqual(decode(Buffer.from([255, 0])), { channel: 255, payload: Buffer.from([0]) });
    assert.deepEqual(decode(Buffer.from([4])), { channel: 4, payload: Buffer.alloc(0) });
  }
});

test("v4.base64 writes text: the channel as a digit, the payload in base64", () => {
  assert.equal(base64.encode(1, Buffer.from("out\xff", "latin1")), "1b3V0/w==");
  assert.equal(base64.encode(3, Buffer.alloc(0)), "3");
  assert.deepEqual(base64.decode(Buffer.from("0aW4=")), { channel: 0, payload: Buffer.from("in") });
  assert.deepEqual(base64.decode(Buffer.from("4")), { channel: 4, payload: Buffer.alloc(0) });
});

test("v4.base64 counts channels from 10 on in the characters behind 9", () => {
  assert.equal(base64.encode(10, Buffer.from("a")), ":YQ==");
  assert.deepEqual(base64.decode(Buffer.from(":YQ==")), { channel: 10, payload: Buffer.from("a") });
  const last = base64.channels - 1;
  assert.equal(base64.encode(last, Buffer.alloc(0)), "~");
  assert.equal(base64.decode(Buffer.from("~"))?.channel, last);
});

test("v4.base64 takes nothing that is not base64, whole", () => {
  for (const text of [
    "0a",
    "0a=",
    "0aW4",
    "0aW4==",
    "0a-W_",
    "0aW4=\n",
    "0!aW4=",
    "0aW4=aW4=",
    " aW4=",
    "/aW4=",
    "-",
  ]) {
    assert.equal(base64.decode(Buffer.from(text)), undefined, text);
  }
});

test("an empty message says nothing in any subprotocol", () => {
  for (const subprotocol of [...subprotocols, undefined]) {
    assert.equal(channelCodec(subprotocol).decode(Buffer.alloc(0)), undefined);
  }
});

test("v5 alone can end a half", () => {
  const able = [...subprotocols, undefined].filter((name) => channelCodec(name).halfClose);
  assert.deepEqual(able, ["v5.channel.k8s.io"]);
});

test("any payload on any channel comes back, in every subprotocol", () => {
  const anyProtocol = fc.constantFrom<Subprotocol | undefined>(...subprotocols, undefined);
  fc.assert(
    fc.property(anyProtocol, fc.nat(255), fc.uint8Array({ maxLength: 200 }), (protocol, number, payload) => {
      const codec = channelCodec(protocol);
      const channel = number % codec.channels;
      const message = Buffer.from(codec.encode(channel, payload));
      assert.deepEqual(codec.decode(message), { channel, payload: Buffer.from(payload) });
    }),
  );
});

test("offeredProtocols() splits what clients and Node join", () => {
  assert.deepEqual(offeredProtocols(undefined), []);
  assert.deepEqual(offeredProtocols(""), []);
  assert.deepEqual(offeredProtocols("a"), ["a"]);
  assert.deepEqual(offeredProtocols(" a ,b,, c "), ["a", "b", "c"]);
});

test("isProtocolList() takes different names, and nothing else", () => {
  for (const header of [undefined, "a", "v5.channel.k8s.io, v4.channel.k8s.io", `a,${bearerPrefix}eA`]) {
    assert.equal(isProtocolList(header), true, header);
  }
  for (const header of ["", ",", "a,", "a,,b", "a, a", "a b", "SPDY/3.1+portforward.k8s.io", '"a"', "ä"]) {
    assert.equal(isProtocolList(header), false, header);
  }
});

test("offeredToken() reads the token, and nothing that is not base64url", () => {
  const name = `${bearerPrefix}${Buffer.from("a token!").toString("base64url")}`;
  assert.equal(offeredToken(["v4.channel.k8s.io", name]), "a token!");
  for (const offered of [
    [],
    ["v4.channel.k8s.io"],
    [bearerPrefix],
    [`${bearerPrefix}YQ==`],
    [`${bearerPrefix}a+b/`],
  ]) {
    assert.equal(offeredToken(offered), undefined);
  }
});
