/**
 * Pods that a caller sees, and pods that it does not: these carry the word `canary` in all that has a text, and their
 * containers the label by which the others are seen.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { GrantSet, Grants } from "../../src/grants.ts";
import { grantWords } from "../../src/grants.ts";
import { createKeptLogs } from "../../src/logs/keeping/kept-logs.ts";
import type { LogOwner } from "../../src/logs/log-selection.ts";
import type { FakeRuntime, MannerName } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

/** A pod with a running and an exited container. */
export interface Group {
  readonly pod: string;
  readonly running: string;
  readonly exited: string;
  /** A container that has been removed, whose log is kept, and its pod. */
  readonly removed: string;
  readonly removedPod: string;
}

export interface World extends LiveGateway {
  readonly seen: Group;
  readonly hidden: Group;
  /** The ids of all that is hidden. */
  readonly hiddenIds: Set<string>;
}

/** The label by which pods are seen, and the one by which they are denied. */
const seenLabels = { team: "demo", "crest/managed": "true" };
const hiddenLabels = { team: "others", "crest/managed": "true" };

/** Each word, as far as it can be narrowed to this scope. */
function narrowedTo(scope: string, besides: true | undefined): GrantSet {
  const set: { [word: string]: true | readonly string[] } = {};
  for (const [word, { takes }] of Object.entries(grantWords)) {
    if (takes === "scope" || takes === "ports") set[word] = [scope];
    else if (takes === "kinds") set[word] = besides ? [scope, "images", "runtime"] : [scope];
    else if (besides) set[word] = besides;
  }
  return set;
}

/** Ways to see only the pods of the namespace `demo`. */
export const views: { readonly [name: string]: Grants } = {
  "given by namespace": { all: false, allow: narrowedTo("demo/*", true), deny: {} },
  "given by label": { all: false, allow: narrowedTo("label:team=demo", true), deny: {} },
  "denied by namespace": { all: true, allow: {}, deny: narrowedTo("secret/*", undefined) },
  "denied by label": { all: true, allow: {}, deny: narrowedTo("label:team=others", undefined) },
};

export const canaryPort = 45_678;

/** What the hidden pod is called. Another pod of this name cannot be made. */
export const hiddenMetadata = { namespace: "secret", name: "canary-pod", uid: "canary-uid", attempt: 0 };

export async function scopedWorld(t: TestContext, manner: MannerName, grants: Grants): Promise<World> {
  const gateway = await liveGateway(t, manner, { grants });
  const { fake, dataDir } = gateway;
  fake.addImage({ tags: ["tiny:1"] });
  fake.addImage({ tags: ["used-by-others:1"] });
  // Ids that begin alike: the prefix is that of one visible pod.
  const hidden = addGroup(fake, dataDir, { isHidden: true, prefix: "abcd1" });
  const seen = addGroup(fake, dataDir, { isHidden: false, prefix: "abcd2" });
  return { ...gateway, seen, hidden, hiddenIds: new Set(Object.values(hidden)) };
}

function addGroup(
  fake: FakeRuntime,
  dataDir: string,
  { isHidden, prefix }: { readonly isHidden: boolean; readonly prefix: string },
): Group {
  const word = isHidden ? "canary" : "own";
  const metadata = isHidden ? hiddenMetadata : { namespace: "demo", name: "web", uid: "own-uid" };
  const labels = isHidden ? hiddenLabels : seenLabels;
  const id = (kind: string): string => `${prefix}${kind}`.padEnd(64, "0");
  const mapping = { hostPort: isHidden ? canaryPort : canaryPort + 1, containerPort: 80 };
  const pod = fake.addPod({
    ...metadata,
    ...{ id: id("a"), labels, annotations: { note: `${word}-note` } },
    config: {
      linux: { cgroupParent: "/crest" },
      logDirectory: join(dataDir, "logs", word),
      portMappings: [mapping],
      hostname: `${word}-host`,
    },
  });
  const containerLabels = { ...seenLabels, note: `${word}-label` };
  const image = isHidden ? "used-by-others:1" : "tiny:1";
  const container = (kind: string, state: "running" | "exited"): string =>
    fake.addContainer({
      ...{ pod, image, state, id: id(kind), name: `${word}-${state}`, labels: containerLabels },
      ...{ logPath: `${state}.log`, args: [`${word}-arg`], annotations: { note: `${word}-note` } },
    }).id;
  const group = { pod: pod.id, running: container("b", "running"), exited: container("c", "exited") };
  for (const state of ["running", "exited"]) writeLog(join(dataDir, "logs", word, `${state}.log`), word);
  const removed = { removed: id("d"), removedPod: id("e") };
  const owner = {
    ...{ id: removed.removed, name: `${word}-removed`, attempt: 0, podSandboxId: removed.removedPod },
    ...{ pod: `${word}-gone`, namespace: metadata.namespace },
    ...{ labels: { ...labels, ...containerLabels }, podLabels: labels },
  };
  keepLog(dataDir, `${word}/removed.log`, owner, word);
  return { ...group, ...removed };
}

/** A log in the log folder whose container has been removed. */
export function keepLog(dataDir: string, path: string, owner: LogOwner, word: string): void {
  writeLog(join(dataDir, "logs", path), word);
  createKeptLogs(dataDir).note({ path, owner, removedAtMs: Date.now() - 1000 });
}

function writeLog(path: string, word: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `2026-11-29T08:00:00.5Z stdout F ${word}-line\n`);
}
