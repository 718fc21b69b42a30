import assert from "node:assert/strict";
import { test } from "node:test";
import { writers } from "../../../src/gen/writers.ts";
import { createBufferPool, OutputTooLarge } from "../../../src/wire/buffer-pool.ts";
import { Malformed } from "../../../src/wire/read.ts";
import { toJsonText, type Writer, writeJson } from "../../../src/wire/write-json.ts";
import { referenceBytes, referenceText } from "../gen/reference.ts";
import { varint } from "../gen/scramble.ts";

const status = {
  status: {
    id: "c1",
    metadata: { name: 'quote " \\ \n', attempt: 4294967295 },
    state: "CONTAINER_EXITED",
    createdAt: "-9223372036854775808",
    startedAt: "1700000000123456789",
    exitCode: -1,
    image: { image: "é😀", annotations: { z: "1", a: "2", "": "3" } },
    labels: { "10": "x", "9": "y", b: "", a: "\u0001" },
    mounts: [{ containerPath: "/a", uidMappings: [{ hostId: 1 }] }, {}],
    user: { linux: { uid: "7", supplementalGroups: ["1", "-1", "9007199254740993"] } },
    stopSignal: "SIGNAL_SIGTERM",
  },
  info: { config: "{}" },
};

test("writeJson() never cuts its output: every buffer size from 1 byte up gives the whole text or an error", () => {
  const wire = referenceBytes("ContainerStatusResponse", status);
  const expected = referenceText("ContainerStatusResponse", wire);
  const needed = Buffer.byteLength(expected);
  let least = 0;
  for (let size = 1; size < needed + 16; size++) {
    const pool = createBufferPool({ maxBufferBytes: size });
    try {
      const { bytes, release } = writeJson(writers.ContainerStatusResponse, wire, pool);
      assert.equal(bytes.toString("utf8"), expected, `${size}`);
      release();
      least ||= size;
    } catch (error) {
      assert.ok(error instanceof OutputTooLarge, `${size}: ${error}`);
      assert.equal(least, 0, "what fits once fits in everything larger");
    }
    assert.equal(pool.taken, 0);
  }
  assert.ok(least >= needed && least <= needed + 4, `${least} for ${needed}`);
});

/** A list of `count` items, each of them two bytes. */
function emptyItems(count: number): Buffer {
  return Buffer.alloc(count * 2, Buffer.from([0x0a, 0x00]));
}

test("writeJson() takes larger buffers until the text fits, and remembers what was needed", () => {
  const pool = createBufferPool();
  const wire = emptyItems(5000);
  const writer: Writer = { ...writers.ListContainersResponse };
  const expected = referenceText("ListContainersResponse", wire);
  for (let i = 0; i < 3; i++) {
    const { bytes, release } = writeJson(writer, wire, pool);
    assert.equal(bytes.toString("utf8"), expected);
    release();
  }
  assert.equal(pool.taken, 0);
});

test("a few bytes of wire that would become much JSON end at the pool's limit", () => {
  const pool = createBufferPool({ maxBufferBytes: 4 * 1024 * 1024 });
  assert.throws(() => writeJson(writers.ListContainersResponse, emptyItems(2_000_000), pool), OutputTooLarge);
  assert.equal(pool.taken, 0);
});

test("release() gives the buffer back, once", () => {
  const pool = createBufferPool();
  const { release } = writeJson(writers.VersionResponse, Buffer.alloc(0), pool);
  assert.equal(pool.taken, 1);
  release();
  assert.equal(pool.taken, 0);
  assert.throws(release, TypeError);
});

test("a malformed message gives its buffer back", () => {
  const pool = createBufferPool();
  assert.throws(() => writeJson(writers.VersionResponse, Buffer.from([0x0a, 0x05, 0x61]), pool), Malformed);
  assert.equal(pool.taken, 0);
});

test("what is in a used buffer never shows in the next text", () => {
  const pool = createBufferPool();
  const long = writeJson(
    writers.VersionResponse,
    referenceBytes("VersionResponse", { version: "s".repeat(3000) }),
    pool,
  );
  long.release();
  const short = writeJson(writers.VersionResponse, Buffer.alloc(0), pool);
  assert.equal(
    short.bytes.toString(),
    '{"version":"","runtimeName":"","runtimeVersion":"","runtimeApiVersion":""}',
  );
  short.release();
});

test("unknown enum numbers come out as numbers", () => {
  assert.equal(toJsonText(writers.ContainerStateValue, Buffer.from([0x08, 0x63])), '{"state":99}');
  const negative = Buffer.from("08ffffffffffffffffff01", "hex");
  assert.equal(toJsonText(writers.ContainerStateValue, negative), '{"state":-1}');
});

test("text that is not UTF-8 comes out with U+FFFD, map keys before they are compared", () => {
  assert.equal(toJsonText(writers.PodIP, Buffer.from("0a03ff61c3", "hex")), '{"ip":"\ufffda\ufffd"}');
  const entry = (key: string, value: string): string => {
    const body = `0a${varint(key.length / 2).toString("hex")}${key}1201${value}`;
    return `12${varint(body.length / 2).toString("hex")}${body}`;
  };
  const wire = Buffer.from(entry("ff", "61") + entry("fe", "62") + entry("7a", "63"), "hex");
  assert.equal(
    toJsonText(
      writers.ContainerStatsFilter,
      Buffer.from(wire.toString("hex").replaceAll(/12(0[0-9a-f]0a)/g, "1a$1"), "hex"),
    ),
    '{"id":"","podSandboxId":"","labelSelector":{"z":"c","\ufffd":"b"}}',
  );
});

test("of equal map keys the last one counts, whatever the number of keys", () => {
  for (const count of [2, 24, 25, 100, 5000]) {
    const entries = Array.from({ length: count }, (_, i) => {
      const key = Buffer.from(`k${i % Math.ceil(count / 2)}`);
      const value = Buffer.from(String(i));
      const body = Buffer.concat([
        Buffer.from([10, key.length]),
        key,
        Buffer.from([18, value.length]),
        value,
      ]);
      return Buffer.concat([Buffer.from([18, body.length]), body]);
    });
    const wire = Buffer.concat(entries);
    assert.equal(
      toJsonText(writers.ImageStatusResponse, wire),
      referenceText("ImageStatusResponse", wire),
      `${count}`,
    );
  }
});

/** Milliseconds that `run` takes; it may throw Malformed. */
function timed(run: () => void): number {
  const start = performance.now();
  try {
    run();
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof OutputTooLarge)) throw error;
  }
  return performance.now() - start;
}

test("hostile messages of half a megabyte take linear time", () => {
  const size = 512 * 1024;
  const key = (i: number): string => `0a04${(0x7fffffff - i).toString(16)}`;
  const descending = Array.from({ length: size / 8 }, (_, i) => `1206${key(i)}`).join("");
  const cases: { [name: string]: Buffer } = {
    "a map with its keys in falling order": Buffer.from(descending, "hex"),
    "groups in groups": Buffer.alloc(size, 0x3b),
    "fields in the wrong order": Buffer.alloc(size, Buffer.from("18000a001200", "hex")),
    "one message in many parts": Buffer.alloc(size, Buffer.from("0a020a00", "hex")),
    "endless numbers": Buffer.alloc(size, 0x80),
    "empty items": emptyItems(size / 2),
    quotes: Buffer.concat([Buffer.from([0x0a]), varint(size), Buffer.alloc(size, 0x22)]),
    "broken UTF-8": Buffer.concat([Buffer.from([0x0a]), varint(size), Buffer.alloc(size, 0xff)]),
  };
  const pool = createBufferPool();
  for (const [name, wire] of Object.entries(cases)) {
    for (const writer of [
      writers.ImageStatusResponse,
      writers.ListContainersResponse,
      writers.ContainerStatusResponse,
      writers.PodIP,
    ]) {
      const ms = timed(() => writeJson(writer, wire, pool).release());
      assert.ok(ms < 4000, `${name}, ${writer.message}: ${Math.round(ms)} ms`);
    }
  }
});
