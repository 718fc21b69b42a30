/** What the tests of lists share: pods and containers to list, and how answers are read. */
import assert from "node:assert/strict";
import type { FakeRuntime } from "../support/fake-runtime.ts";
import type { Answer } from "./table-gateway.ts";

/** What is read of an item, of whatever list. */
export interface Item {
  readonly id: string;
  readonly createdAt: string;
  readonly labels: { readonly [key: string]: string };
  readonly repoTags: readonly string[];
}
/** What is read of an answer; of the lists it has one. */
export interface Page {
  readonly containers: readonly Item[];
  readonly items: readonly Item[];
  readonly images: readonly Item[];
  readonly continue?: string;
}

/** Pods with containers, some of one moment, so that the id decides. */
export function populate(to: FakeRuntime, pods: number): void {
  for (let number = 0; number < pods; number++) {
    const pod = to.addPod({
      labels: { app: number % 2 === 0 ? "web" : "db", tier: `tier-${number % 3}` },
      annotations: { note: `"${number}"\n` },
      createdAtNanos: BigInt(1_700_000_000 + (number % 7)) * 1_000_000_000n,
      config: { linux: { cgroupParent: "/crest" } },
    });
    to.addContainer({
      pod,
      labels: { app: number % 2 === 0 ? "web" : "db", tier: `tier-${number % 3}` },
      state: number % 4 === 0 ? "exited" : "running",
      createdAtNanos: BigInt(1_700_000_000 + (number % 5)) * 1_000_000_000n,
    });
  }
}

/** The ids of the items of an answer, in its order. */
export function idsOf(answer: Answer, field: "containers" | "items" | "images" = "containers"): string[] {
  assert.equal(answer.status, 200, answer.text);
  return answer.json<Page>()[field].map(({ id }) => id);
}

/** Metrics of all pods, for runtimes that have none. */
export const metricsOf = (of: FakeRuntime): object => ({
  podMetrics: [...of.pods.keys()].map((podSandboxId) => ({ podSandboxId })),
});

/** Asks for lines. */
export const lines = { headers: { accept: "application/x-ndjson" } };

/** The items of an answer in lines. */
export function parseLines(answer: Answer): object[] {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers["content-type"], "application/x-ndjson");
  assert.equal(answer.headers.etag, undefined);
  assert.ok(answer.text === "" || answer.text.endsWith("\n"));
  return answer.text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as object);
}
