/** What of an environment variable reaches the container. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathsOf } from "../../src/embedded/paths.ts";
import { createCriClient } from "../support/cri-client.ts";
import { bodyOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { podStatus, type Resource, removePod, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

interface ExecAnswer {
  readonly stdout: string;
}

const skip = await reasonToSkip();
const crest = useGateway(skip);

/** The variables that a command in a container has, as bytes in latin1, each with a NUL before and behind it. */
async function variablesOf({ path }: Resource): Promise<string> {
  const body = { cmd: ["cat", "/proc/self/environ"], timeout: "20" };
  const { stdout } = bodyOf(await crest().post<ExecAnswer>(`${path}/exec?encoding=base64`, body));
  return `\0${Buffer.from(stdout, "base64").toString("latin1")}`;
}

const bytesOf = (text: string): string => Buffer.from(text).toString("latin1");

test("any text arrives as it was sent", { skip }, async () => {
  const pod = await runPod(crest());
  const value = "ünï\tcode \u{1f600} \"quoted\" 'x' \\ $HOME %41 =";
  const envs = [{ key: "VALUE", value }];
  const container = await runContainer(crest(), pod, { ...shell("sleep 3600"), envs });
  assert.ok((await variablesOf(container)).includes(bytesOf(`\0VALUE=${value}\0`)));
  await removePod(crest(), pod);
});

test("bytes that are not UTF-8 do not survive the runtime, so no request takes any", { skip }, async () => {
  const pod = await runPod(crest());
  const client = createCriClient(pathsOf(crest().dataDir).socket);
  const { metadata } = await podStatus(crest(), pod);
  const bytes = Buffer.from([0xff, 0x41, 0x80]);
  const { containerId } = await client.call<{ containerId: string }>("RuntimeService/CreateContainer", {
    podSandboxId: pod.id,
    config: {
      metadata: { name: "binary" },
      image: { image: "busybox:latest" },
      command: ["sleep", "3600"],
      envs: [{ key: "VALUE", value: bytes.toString("base64") }],
      linux: {},
    },
    sandboxConfig: { metadata },
  });
  await client.call("RuntimeService/StartContainer", { containerId });
  client.close();
  const container = { path: `/v1/containers/${containerId}`, id: containerId };
  // The configuration that a container is made of is JSON: each byte became U+FFFD.
  assert.ok((await variablesOf(container)).includes(bytesOf("\0VALUE=\ufffdA\ufffd\0")));
  await removePod(crest(), pod);
});
