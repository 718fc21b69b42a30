import assert from "node:assert/strict";
import { test } from "node:test";
import { createHostGuard } from "../../../src/access/hosts.ts";

const guard = createHostGuard(["localhost", "127.0.0.1", "[::1]", "Node.Example"]);

test("the gateway's own names are taken, with any port and in any case", () => {
  const hosts = [
    "localhost",
    "localhost:8585",
    "LocalHost:1",
    "127.0.0.1",
    "127.0.0.1:65535",
    "[::1]",
    "[::1]:8585",
  ];
  for (const host of [...hosts, "node.example", "NODE.EXAMPLE:443", "localhost:"]) guard({ host });
});

test("an allowed origin may differ from the host, and the refusal of others names the flag", () => {
  const allowing = createHostGuard(["localhost"], ["https://app.example", "http://127.0.0.1:5173"]);
  const from = (origin: string) => () =>
    allowing({ host: "localhost:8585", origin, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" });
  for (const origin of ["https://app.example", "http://127.0.0.1:5173"]) from(origin)();
  const others = [
    "http://app.example",
    "https://app.example:8443",
    "https://app.example.evil.example",
    "https://sub.app.example",
    "https://APP.example",
    "https://app.example/",
    "http://127.0.0.1:51730",
  ];
  for (const origin of others)
    assert.throws(from(origin), {
      code: "origin_not_allowed",
      message: /: restart it with --allow-origin=http|may not use/,
    });
  assert.throws(from("https://other.example"), {
    message: /restart it with --allow-origin=https:\/\/other\.example$/,
  });
  for (const origin of ["null", "*", ""])
    assert.throws(from(origin), { code: "origin_not_allowed", message: /may not use this gateway$/ });
  // What a page embeds has no origin, so no origin allows it.
  assert.throws(
    () => allowing({ host: "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }),
    {
      code: "origin_not_allowed",
    },
  );
});

test("a name that a website lets resolve to the loopback address is refused", () => {
  const hosts = [
    "evil.example",
    "localhost.evil.example",
    "localhost.evil.example:8585",
    "evil-localhost",
    "xlocalhost",
    "localhostx",
    "127.0.0.1.nip.io",
    "127.0.0.1.evil.example:8585",
    "nodexexample",
    "sub.node.example",
    "node.example.evil",
  ];
  for (const host of hosts) assert.throws(() => guard({ host }), { code: "host_not_allowed" }, host);
});

test("another spelling of an address or a name is another name", () => {
  const hosts = [
    "localhost.",
    "localhost.:8585",
    "node.example.",
    "127.1",
    "127.0.0.2",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "::1",
    "[::1",
    "::1]",
    "[::1]]",
    "[::1]x:8585",
    "[::1]:8585:8585",
    "[fe80::1%25lo]",
    "xn--localhost",
    "ｌocalhost",
  ];
  for (const host of hosts) assert.throws(() => guard({ host }), { code: "host_not_allowed" }, host);
});

test("what is no name with a port is refused", () => {
  const hosts = [
    undefined,
    "",
    ":",
    ":8585",
    " localhost",
    "localhost ",
    "localhost:80:80",
    "localhost:8585x",
    "localhost:-1",
    "localhost:+1",
    "user@localhost",
    "localhost@evil.example",
    "evil.example#localhost",
    "localhost/",
    "localhost,evil.example",
    "localhost, localhost",
    "localhost\\evil",
    "http://localhost",
    "localhost\u0000",
    "__proto__",
  ];
  for (const host of hosts) assert.throws(() => guard({ host }), { code: "host_not_allowed" }, host);
});

test("a page of the gateway itself may use it, any other may not", () => {
  const host = "localhost:8585";
  for (const origin of ["http://localhost:8585", "https://localhost:8585", "HTTP://LOCALHOST:8585"]) {
    guard({ host, origin });
  }
  const origins = [
    "null",
    "",
    "http://localhost",
    "http://localhost:8586",
    "http://127.0.0.1:8585",
    "http://evil.example",
    "http://localhost:8585.evil.example",
    "http://evil.example:8585",
    "http://localhost:8585@evil.example",
    "http://evil@localhost:8585",
    "http://localhost:8585/",
    "http://localhost:8585/path",
    "http://localhost:8585, http://evil.example",
    "file://localhost:8585",
    "chrome-extension://localhost:8585",
    "//localhost:8585",
    "localhost:8585",
    "*",
  ];
  for (const origin of origins) {
    assert.throws(() => guard({ host, origin }), { code: "origin_not_allowed" }, origin);
  }
});

test("a wrong host is refused whatever the origin, and both are 403", () => {
  assert.throws(() => guard({ host: "evil.example", origin: "http://evil.example" }), {
    code: "host_not_allowed",
    status: 403,
  });
  assert.throws(() => guard({ host: "localhost", origin: "null" }), {
    code: "origin_not_allowed",
    status: 403,
  });
});

test("no name at all is taken when none is accepted", () => {
  const closed = createHostGuard([]);
  for (const host of ["localhost", "127.0.0.1", ""]) assert.throws(() => closed({ host }), { status: 403 });
});

test("a refusal names what the caller sent, and none of the names that are accepted", () => {
  const check = () => guard({ host: "evil.example" });
  assert.throws(check, (error: Error) => {
    assert.match(error.message, /"evil\.example"/);
    assert.doesNotMatch(error.message, /localhost|127\.0\.0\.1|::1|node\.example/i);
    return true;
  });
});
