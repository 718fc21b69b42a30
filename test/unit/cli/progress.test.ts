import assert from "node:assert/strict";
import { test } from "node:test";
import { liveRegion } from "../../../src/cli/output/live-region.ts";
import { pullProgress, screen } from "../../../src/cli/output/pull-progress.ts";
import type { Pull, PullLayer } from "../../../src/client/index.ts";
import { fakeTerminal } from "../../support/fake-terminal.ts";

const layer = (digit: string, state: PullLayer["state"], downloadedBytes = 0): PullLayer => ({
  digest: `sha256:${digit.repeat(64)}`,
  state,
  sizeBytes: 4_000_000,
  downloadedBytes,
});

const pull = (more: Partial<Pull> = {}): Pull => ({
  ...{
    id: "p1",
    image: "x",
    phase: "downloading",
    elapsedMs: 2500,
    callers: 1,
    detached: false,
    startedAt: "1",
  },
  ...more,
});

const downloading = pull({
  ...{ totalBytes: 12_000_000, downloadedBytes: 5_000_000, bytesPerSecond: 2_000_000, etaMs: 3500 },
  layers: [layer("a", "exists", 4_000_000), layer("b", "downloading", 1_000_000), layer("c", "waiting")],
});

test("a pull has a line, and a bar for each layer", () => {
  assert.deepEqual(screen(new Map([["busybox", downloading]]), { columns: 79, rows: 23 }), [
    "busybox: downloading, 41% of 12MB, 2MB/s, 3.5 s left",
    "  aaaaaaaaaaaa  exists       [===============================]              4MB",
    "  bbbbbbbbbbbb  downloading  [======>                        ]        1MB / 4MB",
    "  cccccccccccc  waiting      [                               ]              4MB",
  ]);
});

test("what is drawn fits into every terminal, and says what was left out", () => {
  const layers = Array.from({ length: 100 }, (_, index) =>
    layer("0123456789abcdef"[index % 16] ?? "0", index < 90 ? "done" : "downloading"),
  );
  const pulls = new Map(
    ["one", "x".repeat(300), "three"].map((name) => [name, { ...downloading, layers }] as const),
  );
  for (const columns of [1, 10, 40, 80, 250])
    for (const rows of [1, 2, 3, 5, 10, 50, 200]) {
      const lines = screen(pulls, { columns, rows });
      assert.ok(lines.length <= Math.max(rows, pulls.size), `${lines.length} of ${rows}`);
      for (const line of lines) assert.ok(line.length <= columns, line);
    }
  const small = screen(pulls, { columns: 79, rows: 23 });
  assert.equal(small.filter((line) => /^ {2}and \d+ more layers, \d+ of them done$/.test(line)).length, 3);
  assert.match(small[1] ?? "", /downloading/);
});

test("a region is drawn over itself, also after the terminal became narrower", () => {
  const { stderr } = fakeTerminal({ columns: 40 });
  const region = liveRegion(stderr);
  region.draw(["x".repeat(30), "y"]);
  stderr.columns = 20;
  region.draw(["z"]);
  assert.ok(stderr.text().endsWith("\r\u001b[3Az\u001b[K\n\u001b[J"), JSON.stringify(stderr.text()));
  region.clear();
  region.clear();
  assert.ok(stderr.text().endsWith("\r\u001b[1A\u001b[J"));
});

test("without a terminal there is a line for each phase, and one in half a minute", () => {
  const { stderr } = fakeTerminal();
  const progress = pullProgress(stderr);
  for (let elapsedMs = 0; elapsedMs < 70_000; elapsedMs += 250)
    progress.update("bad\u001bname", { ...downloading, elapsedMs });
  progress.update("bad\u001bname", pull({ phase: "unpacking", elapsedMs: 71_000 }));
  progress.update("bad\u001bname", pull({ ...downloading, phase: "done", elapsedMs: 72_000 }));
  progress.finished("bad\u001bname");
  assert.deepEqual(stderr.text().trimEnd().split("\n"), [
    ...Array(3).fill("bad\\u001bname: downloading, 41% of 12MB, 2MB/s, 3.5 s left"),
    "bad\\u001bname: unpacking, 1 m 11 s",
    "bad\\u001bname: pulled 12MB in 1 m 12 s",
  ]);
});
