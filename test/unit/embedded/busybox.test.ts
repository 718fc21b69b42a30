import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { embeddedImages } from "../../../src/embedded/busybox.ts";

const busybox = {
  binary: Buffer.from("binary"),
  version: "1.35.0",
  applets: ["[", "busybox", "sh", "sleep"],
};

const skip = spawnSync("tar", ["--version"]).status === 0 ? false : "needs tar(1)";

function contentsOf(index: number): readonly string[] {
  const input = embeddedImages(busybox)[index]?.image.layers[0]?.bytes ?? Buffer.alloc(0);
  const listed = spawnSync("tar", ["-tvf", "-"], { input }).stdout.toString();
  return listed
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^(\S+).* \d\d:\d\d /, "$1 "));
}

test("embeddedImages() tags busybox with its real major and minor version", () => {
  const names = embeddedImages({ ...busybox, version: "1.37.1" }).map((image) => image.names);
  assert.deepEqual(names, [
    ["docker.io/library/busybox:1.37", "docker.io/library/busybox:latest"],
    ["crest.invalid/pause:1"],
  ]);
});

test("the busybox image has a link per applet, and none over the executable itself", { skip }, () => {
  assert.deepEqual(contentsOf(0), [
    "drwxr-xr-x bin/",
    "-rwxr-xr-x bin/busybox",
    "lrwxrwxrwx bin/[ -> busybox",
    "lrwxrwxrwx bin/sh -> busybox",
    "lrwxrwxrwx bin/sleep -> busybox",
    "drwxr-xr-x etc/",
    "-rw-r--r-- etc/passwd",
    "-rw-r--r-- etc/group",
    "drwxr-xr-x home/",
    "drwx------ root/",
    "drwxrwxrwt tmp/",
  ]);
});

test("the pause image has what its script needs and no more", { skip }, () => {
  assert.deepEqual(contentsOf(1), [
    "drwxr-xr-x bin/",
    "-rwxr-xr-x bin/busybox",
    "lrwxrwxrwx bin/sh -> busybox",
    "lrwxrwxrwx bin/sleep -> busybox",
    "-rwxr-xr-x pause",
  ]);
  const config = JSON.parse(embeddedImages(busybox)[1]?.image.config.bytes.toString() ?? "");
  assert.deepEqual(config.config.Entrypoint, ["/pause"]);
});
