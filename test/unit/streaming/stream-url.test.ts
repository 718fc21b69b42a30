import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../../src/errors.ts";
import { checkStreamUrl } from "../../../src/streaming/stream-url.ts";

const token = "tkqu3XBc";

function refused(url: string, why: RegExp, allowed?: string): void {
  assert.throws(
    () => checkStreamUrl(url, allowed),
    (error) => {
      assert.ok(error instanceof GatewayError, String(error));
      assert.equal(error.code, "runtime_error");
      assert.match(error.message, why, url);
      assert.ok(!`${error.message}${String(error.cause)}`.includes(token), "the token is told");
      return true;
    },
    url,
  );
}

const accepted = (url: string, allowed?: string): string => checkStreamUrl(url, allowed).href;

test("URLs as the runtimes write them are taken", () => {
  for (const url of [
    `http://127.0.0.1:42573/exec/${token}`,
    `http://127.0.0.1:42573/attach/${token}`,
    `http://127.0.0.1:42573/portforward/10tia-_4`,
    `https://127.0.0.1:10010/exec/${token}`,
    `http://[::1]:42573/exec/${token}`,
    `http://127.7.7.7:42573/exec/${token}`,
  ]) {
    assert.equal(accepted(url), url);
  }
});

test("cri-dockerd's URL gets its scheme, and loopback for every address", () => {
  assert.equal(accepted(`//[::]:42681/cri/exec/${token}`), `http://127.0.0.1:42681/cri/exec/${token}`);
  assert.equal(accepted(`//0.0.0.0:42681/cri/attach/${token}`), `http://127.0.0.1:42681/cri/attach/${token}`);
  assert.equal(accepted(`//127.0.0.1:1/cri/exec/${token}`), `http://127.0.0.1:1/cri/exec/${token}`);
  assert.equal(accepted(`http://0.0.0.0:1/exec/${token}`), `http://127.0.0.1:1/exec/${token}`);
});

test("--stream-host replaces loopback, and stands for every address", () => {
  const url = `http://10.0.0.5:1234/exec/${token}`;
  assert.equal(accepted(url, "10.0.0.5"), url);
  assert.equal(accepted(`//[::]:9/cri/exec/${token}`, "10.0.0.5"), `http://10.0.0.5:9/cri/exec/${token}`);
  assert.equal(accepted(`http://[fd00::5]:9/exec/${token}`, "fd00::5"), `http://[fd00::5]:9/exec/${token}`);
  assert.equal(accepted(`http://[FD00:0::5]:9/exec/${token}`, "fd00::5"), `http://[fd00::5]:9/exec/${token}`);
  assert.equal(accepted(`//0.0.0.0:9/cri/exec/${token}`, "fd00::5"), `http://[fd00::5]:9/cri/exec/${token}`);
  for (const elsewhere of ["127.0.0.1", "10.0.0.6", "10.0.0.50", "[::1]", "[::ffff:10.0.0.5]"]) {
    refused(`http://${elsewhere}:1234/exec/${token}`, /does not point to/, "10.0.0.5");
  }
});

test("other addresses are refused, however they are written", () => {
  for (const host of [
    ...["10.0.0.5", "169.254.169.254", "192.168.1.1", "8.8.8.8", "128.0.0.1", "126.255.255.255"],
    // 169.254.169.254 in decimal, octal, hexadecimal and mixed.
    ...["2852039166", "0251.0376.0251.0376", "0xa9fea9fe", "0xa9.254.0251.254", "169.16689662"],
    ...["[fe80::1]", "[fd00:ec2::254]", "[2001:db8::1]", "[::2]"],
    // IPv4 in IPv6: mapped, compatible, translated, loopback among them.
    ...["[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::ffff:127.0.0.1]", "[::127.0.0.1]"],
    ...["[64:ff9b::7f00:1]", "[::ffff:0:127.0.0.1]"],
  ]) {
    refused(`http://${host}:80/exec/${token}`, /does not point to/);
    refused(`//${host}:80/cri/exec/${token}`, /does not point to/);
  }
});

test("loopback in decimal, octal and hexadecimal is loopback", () => {
  for (const host of ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1"]) {
    assert.equal(accepted(`http://${host}:81/exec/${token}`), `http://127.0.0.1:81/exec/${token}`);
  }
});

test("names are refused, those of loopback too", () => {
  for (const host of ["localhost", "localhost.", "example.org", "127.0.0.1.nip.io", "metadata", "a"]) {
    refused(`http://${host}:80/exec/${token}`, /has a host name/);
  }
});

test("schemes other than http and https are refused", () => {
  for (const scheme of ["file", "ftp", "ws", "wss", "unix", "gopher", "data", "javascript"]) {
    refused(`${scheme}://127.0.0.1/exec/${token}`, /neither http nor https/);
  }
});

test("userinfo is refused, also where it looks like the address", () => {
  for (const url of [
    `http://user@127.0.0.1:80/exec/${token}`,
    `http://user:secret@127.0.0.1:80/exec/${token}`,
    `http://:secret@127.0.0.1:80/exec/${token}`,
    `//127.0.0.1:80@127.0.0.1/exec/${token}`,
  ]) {
    refused(url, /contains a user name/);
  }
  refused(`http://127.0.0.1:80@169.254.169.254/exec/${token}`, /contains a user name/);
});

test("other paths are refused, and what stands behind the path", () => {
  for (const path of [
    ...["", "/", `/${token}`, "/exec", "/exec/", `/execs/${token}`, `/exec/${token}/`, `/exec/${token}/more`],
    ...[`/a/b/exec/${token}`, `/exec/${token}?a=b`, `/exec/${token}#a`, `/exec/${token}%2f`, "/exec/a.b"],
    ...[`/exec/../metadata/${token}`, `/exec/..%2f${token}`, `/exec//${token}`, `//exec/${token}`],
    ...[`/EXEC/${token}`, `/exec/${token} HTTP/1.1`, `/exec/${token};a`, `/exec/${token}@x`],
  ]) {
    refused(`http://127.0.0.1:80${path}`, /unexpected path/);
  }
});

test("what is no URL is refused", () => {
  for (const text of [
    ...["", " ", "exec", `/exec/${token}`, "//", "http://", `http://127.0.0.1:99999/exec/${token}`],
    ...[
      `http://[::1/exec/${token}`,
      `http://[fe80::1%eth0]/exec/${token}`,
      `http://127.0.0.256/exec/${token}`,
    ],
    ...[`http://[::1]evil/exec/${token}`, `127.0.0.1:80/exec/${token}`],
  ]) {
    refused(text, /is invalid|neither http nor https/);
  }
});

test("slashes and control characters that URL parsers mend lead nowhere else", () => {
  refused(`http:///169.254.169.254/exec/${token}`, /does not point to/);
  refused(`///169.254.169.254/exec/${token}`, /does not point to/);
  refused(`http:\\\\169.254.169.254\\exec\\${token}`, /does not point to/);
  refused(`http://127.0.0.1\\@169.254.169.254/exec/${token}`, /unexpected path/);
  refused(`\thttp://169.254.\n169.254/exec/${token}`, /does not point to/);
  assert.equal(accepted(`http:127.0.0.1:80/exec/${token}`), `http://127.0.0.1/exec/${token}`);
});
