/** `crest create` and `crest runp` against a gateway, with crictl's files. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { crictlFiles } from "../support/crictl-files.ts";
import { tempDir } from "../support/temp-dir.ts";
import { liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";

test("crictl's files work as they are, and each unknown field is named", async (t) => {
  const gateway = await liveGateway(t, manner);
  const folder = await tempDir(t);
  gateway.fake.addImage({ tags: ["docker.io/library/busybox:latest"] });
  const pod = gateway.fake.addPod({ labels: { "crest/managed": "true" } });
  for (const [index, { what, kind, text, unknown }] of crictlFiles.entries()) {
    const path = join(folder, `${index}.${text.startsWith("{") ? "json" : "yaml"}`);
    writeFileSync(
      path,
      text.replace('"name": "a"', `"name": "a${index}"`).replace("name: a", `name: a${index}`),
    );
    const argv = kind === "pod" ? ["runp", path] : ["create", pod.id, path, "pod.json"];
    const { code, stdout, stderr } = await runCommand(gateway, argv);
    assert.equal(code, 0, `${what}: ${stderr}`);
    assert.match(stdout, /^[0-9a-f]{64}\n$/);
    const noted = stderr.split("\n").slice(0, -1);
    assert.deepEqual(
      noted.map((line) => /unknown field "(.*)"$/.exec(line)?.[1]).sort(),
      [...unknown].sort(),
      stderr,
    );
  }
});

test("a mistake is told with its line, in JSON, YAML and stdin", async (t) => {
  const gateway = await liveGateway(t, manner);
  const folder = await tempDir(t);
  const path = join(folder, "pod.json");
  writeFileSync(path, '{\n  "metadata": { "name": "a" },\n  "linux": {\n    "cgroupParent": 7\n  }\n}\n');
  const json = await runCommand(gateway, ["runp", path]);
  assert.equal(json.code, 1);
  assert.match(json.stderr, /^ {2}\S+pod\.json:4: \/linux\/cgroupParent /m);
  const yaml = "metadata:\n  name: a\nlabels:\n  a: b\n  c: [1]\n";
  const piped = await runCommand(gateway, ["runp", "-"], { input: yaml });
  assert.match(piped.stderr, /^ {2}stdin:5: \/labels\/c /m);
  const missing = await runCommand(gateway, ["runp", join(folder, "none.json")]);
  assert.match(missing.stderr, /^crest: Cannot read the file .*none\.json: ENOENT/);
  assert.equal(missing.code, 1);
});

test("runp --runtime adds the handler in the spelling of the file, and integers stay exact", async (t) => {
  const gateway = await liveGateway(t, manner);
  const input = "metadata: {name: a}\nlinux: {resources: {memory_limit_in_bytes: 9223372036854771712}}\n";
  const { code, stderr } = await runCommand(gateway, ["runp", "-r", "nothing", "-"], { input });
  assert.equal(code, 1);
  assert.match(stderr, /nothing/);
  const [call] = gateway.fake.callsOf("RuntimeService/RunPodSandbox");
  const text = JSON.stringify(call?.request, (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  assert.match(text, /9223372036854771712/);
  assert.match(text, /"runtimeHandler":"nothing"/);
});

test("create --with-pull pulls the image of the file first", async (t) => {
  const gateway = await liveGateway(t, manner);
  const pod = gateway.fake.addPod({ labels: { "crest/managed": "true" } });
  const input = "metadata: {name: a}\nimage: {image: quay.io/team/app:1}\n";
  assert.equal((await runCommand(gateway, ["create", pod.id, "-"], { input })).code, 1);
  gateway.fake.addRemoteImage({ tags: ["quay.io/team/app:1"] });
  const { code, stdout, stderr } = await runCommand(gateway, ["create", "--with-pull", pod.id, "-"], {
    input,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^[0-9a-f]{64}\n$/);
});

test("--show-curl sends the file as it is", async (t) => {
  const gateway = await liveGateway(t, manner);
  const input = "metadata:\n  name: it's\n";
  const { stdout } = await runCommand(gateway, ["runp", "-", "--show-curl"], { input });
  assert.match(stdout, /-H 'Content-Type: application\/yaml' --data-raw 'metadata:\n {2}name: it'\\''s\n'/);
  assert.equal(gateway.requests.length, 0);
});
