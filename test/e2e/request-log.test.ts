/** The log of a gateway in front of a real containerd, read from its stderr as a service manager reads it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { command, openSession } from "./clients/session.ts";
import { bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { type Resource, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
let pod: Resource;
let container: Resource;
const crest = useGateway(skip, {
  async prepare(gateway) {
    pod = await runPod(gateway);
    container = await runContainer(gateway, pod);
  },
});

type Line = { readonly [member: string]: unknown };

const lines = (): readonly Line[] =>
  crest()
    .process.stderr()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);

const lineOf = (wanted: (line: Line) => boolean): Promise<Line> => eventually(() => lines().find(wanted));

test("each request to a real runtime has a line with its pod or container", { skip }, async () => {
  const made = await lineOf(({ message }) => message === "POST /v1/pods 201");
  assert.deepEqual([made.grant, made.target], ["run", pod.path.replace("/v1/", "")]);
  bodyOf(await crest().get(container.path));
  const read = await lineOf(({ message }) => message === "GET /v1/containers/{containerId} 200");
  assert.equal(read.target, container.path.replace("/v1/", ""));
  assert.ok(Number(read.durationMs) > 0 && Number(read.bytes) > 100);
});

test("the requestId of a problem is in the log", { skip }, async () => {
  const problem = problemOf(await crest().get(`/v1/containers/${"f".repeat(64)}`), 404, "not_found");
  const line = await lineOf(({ requestId }) => requestId === problem.requestId);
  assert.deepEqual([line.status, line.code], [404, "not_found"]);
});

test("a shell has a line at its start and at its end, without its command", { skip }, async () => {
  const session = await openSession(crest(), `${container.path}/exec`, {
    query: command("echo s3cret-word"),
  });
  await session.status();
  const end = await lineOf(({ event, route }) => event === "end" && String(route).endsWith("/exec"));
  const start = lines().find(({ event, requestId }) => event === "start" && requestId === end.requestId);
  assert.deepEqual([start?.status, end.closeCode], [101, 1000]);
  assert.ok(!crest().process.stderr().includes("s3cret-word"));
});
