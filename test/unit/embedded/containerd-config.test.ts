import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ContainerdVersion,
  containerdConfig,
  parseContainerdVersion,
  restrictsOomScore,
} from "../../../src/embedded/containerd-config.ts";
import { pathsOf } from "../../../src/embedded/paths.ts";

/** Values of the generated file by `table.key`: it has one `key = value` a line. */
function configOf(version: ContainerdVersion, dataDir = "/data"): ReadonlyMap<string, string> {
  const options = { paths: pathsOf(dataDir), restrictOomScore: true, snapshotter: "overlayfs" };
  const values = new Map<string, string>();
  let table = "";
  for (const line of containerdConfig({ ...options, version }).split("\n")) {
    const [, key, value] = /^(\w+) = (.+)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(`${table}${key}`, value);
    else if (line.startsWith("[")) table = `${line.slice(1, -1).replaceAll('"', "")}.`;
    else assert.equal(line, "");
  }
  return values;
}

test("containerdConfig() keeps all versions inside the data folder", () => {
  for (const major of [1, 2]) {
    const config = configOf([major, 1]);
    assert.equal(config.get("version"), String(major + 1));
    assert.equal(config.get("root"), '"/data/containerd"');
    assert.equal(config.get("state"), '"/data/containerd-state"');
    assert.equal(config.get("grpc.address"), '"/data/containerd.sock"');
    assert.equal(config.get("plugins.io.containerd.internal.v1.opt.path"), '"/data/containerd/opt"');
    assert.match(config.get("disabled_plugins") ?? "", /"io\.containerd\.internal\.v1\.restart"/);
    const cri = major === 1 ? "plugins.io.containerd.grpc.v1.cri" : "plugins.io.containerd.cri.v1.runtime";
    assert.equal(config.get(`${cri}.netns_mounts_under_state_dir`), "true");
    assert.equal(config.get(`${cri}.restrict_oom_score_adj`), "true");
    assert.equal(config.get(`${cri}.cni.conf_dir`), '"/data/cni"');
    const options = `${cri}.containerd.runtimes.runc.options`;
    assert.equal(config.get(`${options}.Root`), '"/data/containerd-state/runc"');
  }
});

test("containerdConfig() names the pause image where the version looks for it", () => {
  const one = configOf([1, 6]);
  assert.equal(one.get("plugins.io.containerd.grpc.v1.cri.sandbox_image"), '"crest.invalid/pause:1"');
  const two = configOf([2, 0]);
  const key = "plugins.io.containerd.cri.v1.images.pinned_images.sandbox";
  assert.equal(two.get(key), '"crest.invalid/pause:1"');
});

test("containerdConfig() names the folder of the plug-ins as the version calls it", () => {
  const binDirs = (version: ContainerdVersion) =>
    [...configOf(version)]
      .filter(([key]) => /\.bin_dirs?$/.test(key))
      .map(([key, value]) => [key.split(".").at(-1), value]);
  assert.deepEqual(binDirs([1, 7]), [["bin_dir", '"/usr/lib/cni"']]);
  assert.deepEqual(binDirs([2, 0]), [["bin_dir", '"/usr/lib/cni"']]);
  assert.deepEqual(binDirs([2, 1]), [["bin_dirs", '["/usr/lib/cni"]']]);
  assert.deepEqual(binDirs([3, 0]), [["bin_dirs", '["/usr/lib/cni"]']]);
});

test("containerdConfig() quotes what a path may hold", () => {
  assert.equal(configOf([1, 6], '/a "b\\').get("root"), '"/a \\"b\\\\/containerd"');
});

test("parseContainerdVersion() reads what Debian's versions and upstream print", () => {
  const parse = (banner: string) => parseContainerdVersion(banner);
  assert.deepEqual(parse("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3\n"), {
    text: "1.6.20",
    version: [1, 6],
  });
  assert.deepEqual(parse("containerd github.com/containerd/containerd/v2 2.1.9+unknown \n"), {
    text: "2.1.9",
    version: [2, 1],
  });
  assert.deepEqual(parse("containerd github.com/containerd/containerd v1.7.24 88bf19b2\n"), {
    text: "1.7.24",
    version: [1, 7],
  });
  assert.equal(parse("containerd unknown\n"), undefined);
});

test("restrictsOomScore() is about CAP_SYS_RESOURCE among the effective capabilities", () => {
  assert.equal(restrictsOomScore("CapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\n"), true);
  assert.equal(restrictsOomScore("CapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n"), false);
  assert.equal(restrictsOomScore(""), true);
});
