import assert from "node:assert/strict";
import { test } from "node:test";
import { mountsBelow } from "../../../src/embedded/mounts.ts";

const mountinfo = [
  "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
  "42 27 0:39 / /data/state/shm rw,nosuid - tmpfs shm rw",
  "43 27 0:4 net:[4026532178] /data/state/netns/cni-1 rw - nsfs nsfs rw",
  "44 42 0:40 / /data/state/shm/inner rw - tmpfs t rw",
  "45 27 0:41 / /data/state\\040two/m\\303\\244h rw - tmpfs t rw",
  "46 42 0:42 / /data/state/shm rw - tmpfs twice rw",
  "",
].join("\n");

test("mountsBelow() answers the last mounted first, and one mounted twice twice", () => {
  assert.deepEqual(mountsBelow("/data/state", mountinfo), [
    "/data/state/shm",
    "/data/state/shm/inner",
    "/data/state/netns/cni-1",
    "/data/state/shm",
  ]);
});

test("mountsBelow() is not confused by a folder whose name begins the same", () => {
  assert.deepEqual(mountsBelow("/data/sta", mountinfo), []);
});

test("mountsBelow() undoes the kernel's escapes", () => {
  assert.deepEqual(mountsBelow("/data/state two", mountinfo), ["/data/state two/mäh"]);
});
