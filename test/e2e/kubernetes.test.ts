/** The DaemonSet: what Kubernetes' schemas say of it, and whether the gateway takes what it sets. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseCommandLine } from "../../src/config.ts";
import { openPaths } from "../../src/http/health.ts";
import { hasVenv } from "../support/packages.ts";
import { manifest, readPodSpec } from "./support/daemon-set.ts";
import { newFolder } from "./support/gateway.ts";
import { type YamlTools, yamlTools } from "./support/yaml-tools.ts";

const skip = hasVenv() ? false : "needs Python with venv (package python3-venv)";
const releases = ["1.30", "1.37"] as const;
const folder = newFolder();
let tools: YamlTools;
before(async () => {
  if (skip === false) tools = await yamlTools();
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("the manifest is valid in old and new releases, and a wrong name in it is not", { skip }, async () => {
  const wrong = join(folder, "wrong.yaml");
  writeFileSync(wrong, readFileSync(manifest, "utf8").replace("hostNetwork:", "hostNetwrk:"));
  for (const release of releases) {
    const { code, stdout, stderr } = await tools.validate(manifest, release);
    assert.equal(code, 0, `${stdout}${stderr}`);
    const refused = await tools.validate(wrong, release);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stdout + refused.stderr, /hostNetwrk/);
  }
});

test("the gateway takes each variable that it sets, and listens where the probes ask", { skip }, async () => {
  const { containers, volumes, hostNetwork } = await readPodSpec(tools);
  const { args, env, ports, volumeMounts, ...probes } = containers[0];
  const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  const command = parseCommandLine(args, variables, { uid: 0, cwd: "/" });
  assert.ok(command.name === "serve");
  const { config } = command;

  assert.ok("host" in config.listen);
  assert.deepEqual(
    [hostNetwork, config.listen.host, config.listen.port],
    [true, "127.0.0.1", ports[0].containerPort],
  );
  for (const { httpGet } of [probes.startupProbe, probes.livenessProbe, probes.readinessProbe]) {
    assert.deepEqual([httpGet.host, httpGet.port], [config.listen.host, ports[0].name]);
    assert.ok(openPaths.has(httpGet.path), httpGet.path);
  }
  assert.deepEqual([config.grants.all, Object.keys(config.grants.allow)], [false, ["read"]]);

  const mountOf = (path: string | undefined) =>
    volumeMounts.find(({ mountPath }) => path?.startsWith(`${mountPath}/`) || path === mountPath);
  for (const path of [config.runtimeEndpoint, config.tokenFile, config.dataDir])
    assert.ok(mountOf(path), path);
  const socket = volumes.find(({ name }) => name === mountOf(config.runtimeEndpoint)?.name);
  assert.equal(socket?.hostPath?.path, mountOf(config.runtimeEndpoint)?.mountPath);
});
