/** How many of the pods in Kubernetes' documentation pass the baseline policy unchanged, and what the others need. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { createPodPolicy } from "../../src/access/policy/pod-policy.ts";
import { decodeRequest, encodeCallers } from "../../src/cri/codec.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Rpc } from "../../src/gen/methods.ts";
import type { Grants } from "../../src/grants.ts";
import { repositoryRoot } from "../support/repository.ts";
import { type Example, kubernetesExamples } from "./kubernetes-examples.ts";

// Not below /tmp, which others may write to.
const root = realpathSync(mkdtempSync("/var/tmp/crest-examples-"));
after(() => rmSync(root, { recursive: true, force: true }));
const folder = join(root, "volume");
mkdirSync(folder);
const profile = join(root, "profile.json");
writeFileSync(profile, "{}");
const examples = kubernetesExamples({ folder, profile });

const grants: Grants = { all: false, allow: { run: true, pull: true }, deny: {} };
const policy = createPodPolicy({ level: "baseline", logRoot: "/var/lib/crest/logs", kept: [] });

/** The words that a request lacks, without their paths: `mount:ro`, `cap:NET_ADMIN`. */
function lacking(rpc: Rpc, message: object): readonly string[] {
  const request = { ...decodeRequest(rpc, encodeCallers(rpc, { ...message })) };
  try {
    policy.apply(rpc, request, { name: "x", grants });
    return [];
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === "not_capable", String(error));
    return error.errors.map(({ grant = "" }) =>
      grant === "--allow-host" ? "all of host" : grant.replace("--allow-host=", "").replace(/:\/[^:]*/, ""),
    );
  }
}

function needsOf({ pod = {}, containers }: Example): readonly string[] {
  const { runtimeHandler, ...given } = pod as { readonly runtimeHandler?: string };
  const config = { metadata: { name: "web", uid: "u-web", namespace: "default" }, ...given };
  const asked = { config, ...(runtimeHandler === undefined ? {} : { runtimeHandler }) };
  const needs = [
    ...lacking("RuntimeService/RunPodSandbox", asked),
    ...containers.flatMap((container) =>
      lacking("RuntimeService/CreateContainer", { config: { metadata: { name: "app" }, ...container } }),
    ),
  ];
  return [...new Set(needs)].sort();
}

for (const [file, example] of Object.entries(examples)) {
  const { needs = [] } = example;
  test(`${file} ${needs.length === 0 ? "passes baseline unchanged" : `needs ${needs.join(" and ")}`}`, () => {
    assert.deepEqual(needsOf(example), needs);
  });
}

test("docs/grants.md tells how many pass", () => {
  const all = Object.values(examples);
  const passing = all.filter(({ needs }) => needs === undefined);
  const mounts = all.filter(
    ({ needs = [] }) => needs.length > 0 && needs.every((word) => /^mount/.test(word)),
  );
  assert.ok(all.length >= 40);
  const text = readFileSync(join(repositoryRoot(), "docs/grants.md"), "utf8").replace(/\s+/g, " ");
  const sentence = `Of ${all.length} pods in the examples of Kubernetes' documentation, ${passing.length} pass baseline unchanged. ${mounts.length} more need only a folder of the node for their volumes`;
  assert.ok(text.includes(sentence), sentence);
});
