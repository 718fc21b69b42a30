import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptors } from "../../../src/gen/descriptors.ts";
import { writers } from "../../../src/gen/writers.ts";
import { createBufferPool, OutputTooLarge } from "../../../src/wire/buffer-pool.ts";
import { Malformed } from "../../../src/wire/read.ts";
import {
  fieldPath,
  int32At,
  int64At,
  mapAt,
  scanItems,
  stringAt,
  stringsAt,
} from "../../../src/wire/scan.ts";
import { toJsonText } from "../../../src/wire/write-json.ts";
import { writeList } from "../../../src/wire/write-list.ts";
import { createDice, seed } from "../gen/dice.ts";
import { referenceBytes, schemaOf } from "../gen/reference.ts";
import { scramble } from "../gen/scramble.ts";

const containers = Array.from({ length: 100 }, (_, i) => ({
  id: `c${i}`,
  metadata: i % 3 === 0 ? {} : { name: `n${i % 7}`, attempt: i },
  createdAt: String(1_700_000_000_000_000_000n - BigInt(i) * 7n),
  state: i % 2 === 0 ? "CONTAINER_RUNNING" : "CONTAINER_CREATED",
  labels: i % 5 === 0 ? {} : { app: `a${i}`, "": "é" },
}));

const wire = referenceBytes("ListContainersResponse", { containers });
const path = (name: string) => fieldPath(descriptors, "Container", name);
const [id, name, createdAt, state, labels, attempt] = [
  "id",
  "metadata.name",
  "createdAt",
  "state",
  "labels",
  "metadata.attempt",
].map(path) as [number[], number[], number[], number[], number[], number[]];

test("fieldPath() finds numbers, and throws for a name that is not there", () => {
  assert.deepEqual([id, name, labels], [[1], [3, 1], [8]]);
  assert.throws(() => path("metadata.nope"), TypeError);
});

test("fields of items read as they were written, absent ones as their defaults", () => {
  const items = scanItems(wire, 1);
  assert.equal(items.length, 100);
  containers.forEach((container, i) => {
    assert.equal(stringAt(items, i, id), container.id);
    assert.equal(stringAt(items, i, name), container.metadata.name ?? "");
    assert.equal(int32At(items, i, attempt), container.metadata.attempt ?? 0);
    assert.equal(int64At(items, i, createdAt), BigInt(container.createdAt));
    assert.equal(int32At(items, i, state), container.state === "CONTAINER_RUNNING" ? 1 : 0);
    assert.deepEqual(Object.fromEntries(mapAt(items, i, labels)), container.labels);
  });
  assert.throws(() => stringAt(items, 100, id), TypeError);
});

test("stringsAt() reads all values of a list", () => {
  const repoTags = ["a:1", "", "é"];
  const items = scanItems(referenceBytes("ListImagesResponse", { images: [{ repoTags }, {}] }), 1);
  const tags = fieldPath(descriptors, "Image", "repoTags");
  assert.deepEqual([stringsAt(items, 0, tags), stringsAt(items, 1, tags)], [repoTags, []]);
});

test("negative numbers keep their sign", () => {
  const items = scanItems(referenceBytes("ListContainersResponse", { containers: [{ createdAt: "-5" }] }), 1);
  assert.equal(int64At(items, 0, createdAt), -5n);
});

test(`items that are not canonical read the same as their JSON (seed ${seed})`, () => {
  const dice = createDice(seed);
  for (let run = 0; run < 50; run++) {
    const odd = scramble(schemaOf("ListContainersResponse"), wire, dice);
    const { containers: expected } = JSON.parse(toJsonText(writers.ListContainersResponse, odd)) as {
      containers: typeof containers;
    };
    const items = scanItems(odd, 1);
    assert.equal(items.length, expected.length);
    expected.forEach((container, i) => {
      assert.equal(stringAt(items, i, id), container.id);
      assert.equal(stringAt(items, i, name), container.metadata?.name ?? "");
      assert.equal(int64At(items, i, createdAt), BigInt(container.createdAt));
      assert.deepEqual(Object.fromEntries(mapAt(items, i, labels)), container.labels);
    });
  }
});

test("scanItems() refuses what is not protobuf", () => {
  for (const hex of ["0a05", "0a", "80", "0b"])
    assert.throws(() => scanItems(Buffer.from(hex, "hex"), 1), Malformed);
  assert.equal(scanItems(Buffer.alloc(0), 1).length, 0);
});

test("writeList() of all items is writeJson() of the list", () => {
  const items = scanItems(wire, 1);
  const pool = createBufferPool();
  const { bytes, release } = writeList(writers.Container, items, {
    pool,
    prefix: '{"containers":[',
    suffix: "]}",
  });
  assert.equal(bytes.toString(), toJsonText(writers.ListContainersResponse, wire));
  release();
  assert.equal(pool.taken, 0);
});

test("writeList() of a few items takes no more memory than they need, however long the list is", () => {
  const items = scanItems(wire, 1);
  const pool = createBufferPool();
  const { heldBytes } = writeList(writers.Container, items, { pool, order: [7], prefix: "[", suffix: "]" });
  assert.equal(heldBytes, 4096);
  const all = writeList(writers.Container, items, { pool, prefix: "[", suffix: "]" });
  assert.ok(all.bytes.length > 4096 && all.heldBytes >= all.bytes.length);
});

test("writeList() writes selected items in a given order, with a given separator", () => {
  const items = scanItems(wire, 1);
  const pool = createBufferPool();
  const order = [42, 7, 7, 99];
  const { bytes } = writeList(writers.Container, items, {
    pool,
    order,
    prefix: "",
    separator: "\n",
    suffix: "\n",
  });
  const ids = bytes
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { id: string }).id);
  assert.deepEqual(ids, ["c42", "c7", "c7", "c99"]);
  const none = writeList(writers.Container, items, { pool, order: [], prefix: "[", suffix: "]" });
  assert.equal(none.bytes.toString(), "[]");
  assert.throws(
    () => writeList(writers.Container, items, { pool, order: [100], prefix: "", suffix: "" }),
    TypeError,
  );
});

test("writeList() writes items that are not canonical among others that are", () => {
  const odd = Buffer.from("0a06 12017a 0a0161 0a03 0a0162".replaceAll(" ", ""), "hex");
  const pool = createBufferPool();
  const { bytes } = writeList(writers.Container, scanItems(odd, 1), {
    pool,
    prefix: '{"containers":[',
    suffix: "]}",
  });
  assert.equal(bytes.toString(), toJsonText(writers.ListContainersResponse, odd));
});

test("writeList() never cuts its output", () => {
  const items = scanItems(wire, 1);
  const order = [1, 5, 2];
  const options = { order, prefix: '{"containers":[', suffix: '],"continue":"abc"}' };
  const expected = writeList(writers.Container, items, {
    ...options,
    pool: createBufferPool(),
  }).bytes.toString();
  for (let size = 1; size < expected.length + 8; size++) {
    try {
      const pool = createBufferPool({ maxBufferBytes: size });
      assert.equal(writeList(writers.Container, items, { ...options, pool }).bytes.toString(), expected);
    } catch (error) {
      assert.ok(error instanceof OutputTooLarge && size < expected.length + 4, `${size}: ${error}`);
    }
  }
});
