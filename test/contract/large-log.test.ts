/** A large log: what is looked at of it, and that memory does not depend on its size. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeLargeLog } from "../support/large-log.ts";
import { peakRssBytes, rssBytes } from "../support/process-memory.ts";
import { spawnGateway } from "./spawned-gateway.ts";

const mebibyte = 1024 * 1024;
/** `npm run bench -- logs` measures how fast larger ones are read. */
const size = 256 * mebibyte;

interface Page {
  readonly lines: readonly { readonly text: string }[];
  readonly more: boolean;
  readonly searchedBytes: number;
}

test("the end of a large log is read without the rest, a search reads all of it, and neither takes memory", async (t) => {
  const gateway = await spawnGateway(t);
  const { token, port, fake, process } = gateway;
  const log = await writeLargeLog(fake, { dataDir: gateway.dataDir, bytes: size });
  const ask = async (query: string): Promise<Page> => {
    const response = await fetch(`http://127.0.0.1:${port}/v1/containers/${log.container.id}/logs?${query}`, {
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
    });
    assert.equal(response.status, 200);
    return (await response.json()) as Page;
  };
  const tail = await ask("tailLines=100");
  assert.equal(tail.lines.length, 100);
  assert.match(tail.lines.at(-1)?.text ?? "", /^INFO {2}request 999 /);
  assert.ok(tail.searchedBytes < mebibyte, `${tail.searchedBytes} bytes`);

  // Five minutes are 300,000 lines, of which a page has the first 10,000.
  const recent = await ask("since=5m");
  assert.deepEqual([recent.lines.length, recent.more], [10_000, true]);
  assert.ok(recent.searchedBytes < 4 * mebibyte, `${recent.searchedBytes} bytes`);
  const none = await ask("since=2050-01-01T00:00:00Z");
  assert.deepEqual(none.lines, []);
  assert.ok(none.searchedBytes < mebibyte, `${none.searchedBytes} bytes`);

  const before = rssBytes(process.pid);
  for (const query of ["regex=status%205%5Cd%5Cd", "grep=status%20503"]) {
    const found = await ask(query);
    assert.equal(found.lines.length, log.lines / 1000, query);
    assert.equal(found.searchedBytes, log.bytes, query);
  }
  const grown = peakRssBytes(process.pid) - before;
  t.diagnostic(`${Math.round(grown / mebibyte)} MiB more memory for ${Math.round(size / mebibyte)} MiB`);
  assert.ok(grown < 96 * mebibyte, `${grown} bytes`);
});
