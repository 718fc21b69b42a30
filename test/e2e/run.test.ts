/** Runs on the real containerd: output and exit code, and nothing left of what fails. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { type TestContext, test } from "node:test";
import type { ListContainersResponse, ListPodSandboxResponse } from "../../src/gen/messages.ts";
import type { AnswerOf } from "../../src/routes/answers.ts";
import { eventually } from "../support/eventually.ts";
import { startFaultyRegistry } from "../support/faulty-registry.ts";
import { layeredImage, throttled } from "../support/layered-image.ts";
import { bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { useGateway } from "./support/suite.ts";

type Run = AnswerOf<"run">;

const skip = await reasonToSkip();
const crest = useGateway(skip);
const image = "docker.io/library/busybox:latest";

const run = async (body: object, query = ""): Promise<Run> =>
  bodyOf(await crest().post<Run>(`/v1/run${query}`, { image, ...body }), 201);
const shell = (script: string): object => ({ command: ["sh", "-c", script] });

async function idsLeft(): Promise<readonly string[]> {
  const { items } = bodyOf(await crest().get<ListPodSandboxResponse>("/v1/pods"));
  const { containers } = bodyOf(await crest().get<ListContainersResponse>("/v1/containers"));
  return [...items, ...containers].map(({ id }) => id);
}

test("a run that is waited for has the exit code and both outputs, and leaves nothing", {
  skip,
}, async () => {
  for (let count = 0; count < 5; count++) {
    const { result, removed } = await run(
      {
        ...shell('echo "Hello from $NAME"; id -u; echo oh >&2; exit 3'),
        env: { NAME: "Crest" },
        user: "1000",
      },
      "?wait=true&remove=true",
    );
    const { exited, exitCode, stdout, stderr } = result ?? {};
    assert.deepEqual([exited, exitCode, stdout, stderr], [true, 3, "Hello from Crest\n1000\n", "oh\n"]);
    assert.equal(removed, true);
  }
  assert.deepEqual(await idsLeft(), []);
});

test("a run of a command that does not exist leaves nothing", { skip }, async () => {
  const answer = await crest().post("/v1/run", { image, command: ["/no-such-program"] });
  assert.equal(problemOf(answer, 400, "command_not_found").step, "start");
  assert.deepEqual(await idsLeft(), []);
});

test("one of four concurrent runs of a name succeeds, and it limits its memory", { skip }, async () => {
  const body = { image, name: "web", ...shell("sleep 600"), memory: "32Mi", cpus: 0.5 };
  const answers = await Promise.all(Array.from({ length: 4 }, () => crest().post<Run>("/v1/run", body)));
  const made = answers.filter(({ status }) => status === 201).map((answer) => answer.body);
  assert.equal(made.length, 1);
  const [web] = made as [Run];
  assert.deepEqual((await idsLeft()).toSorted(), [web.podSandboxId, web.containerId].toSorted());
  const exec = await crest().post(`/v1/containers/${web.containerId}/exec`, {
    cmd: [
      "sh",
      "-c",
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null",
    ],
  });
  assert.match(exec.text, /33554432/);
  assert.equal((await crest().delete(`/v1/pods/${web.podSandboxId}`)).status, 204);
});

test("a client that leaves during the pull of a slow image leaves nothing", {
  skip,
}, async (t: TestContext) => {
  const slow = layeredImage([{ randomBytes: 8 * 1024 * 1024 }]);
  const registry = await startFaultyRegistry(slow);
  registry.fault = throttled(slow, 512 * 1024);
  t.after(() => registry.close());
  const reference = `${registry.address}/team/slow-run:1`;
  const { address, token } = crest();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const sent = request(`${address}/v1/run`, { method: "POST", agent: false, headers });
  sent.on("error", () => undefined);
  sent.end(JSON.stringify({ image: reference }));
  const pullOf = async () =>
    bodyOf(await crest().get<AnswerOf<"listPulls">>("/v1/pulls")).pulls.find(
      (pull) => pull.image === reference,
    );
  await eventually(async () => ((await pullOf())?.downloadedBytes ?? 0) > 0, { timeoutMs: 30_000 });
  sent.destroy();
  await eventually(async () => (await pullOf())?.phase === "cancelled", { timeoutMs: 30_000 });
  assert.deepEqual(await idsLeft(), []);
  assert.equal((await crest().get(`/v1/images/${reference}`)).status, 404);
});
