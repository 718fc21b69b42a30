/** A gateway in a process of its own in front of a fake runtime: for attacks on its memory and its open files. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createFakeRuntime, type FakeRuntime, type MannerName } from "../support/fake-runtime.ts";
import { type CrestProcess, type SpawnCrestOptions, spawnCrest } from "../support/spawn-crest.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { createSpdyServer } from "../support/spdy-server.ts";

export interface SpawnedGateway {
  readonly fake: FakeRuntime;
  readonly dataDir: string;
  readonly port: number;
  readonly token: string;
  readonly process: CrestProcess;
  /** `/v1/containers/ID` of a running container, in which every command is `cat`. */
  readonly container: string;
}

export interface SpawnedOptions extends Pick<SpawnCrestOptions, "maxOpenFiles" | "env" | "holdStderr"> {
  /** Flags besides `-A` and those that the test needs itself. */
  readonly flags?: readonly string[];
  /** Default: containerd-2.1. */
  readonly manner?: MannerName;
}

/** Starts all of it; gone when the test has ended. */
export async function spawnGateway(
  t: Pick<TestContext, "after">,
  { flags = [], manner = "containerd-2.1", ...spawning }: SpawnedOptions = {},
): Promise<SpawnedGateway> {
  const streams = await createSpdyServer();
  streams.behaviour = cat;
  const fake = await createFakeRuntime({ manner, streamUrl: streams.streamUrl });
  const dataDir = await mkdtemp(join(tmpdir(), "crest-spawned-"));
  const crest = spawnCrest(
    [
      "serve",
      "-A",
      "--listen=127.0.0.1:0",
      `--data-dir=${dataDir}`,
      `--runtime-endpoint=${fake.socket}`,
      ...flags,
    ],
    { ready: /Crest is ready at http:\/\/127\.0\.0\.1:(\d+)/, ...spawning },
  );
  t.after(async () => {
    await crest.stop();
    await streams.close();
    await fake.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const port = Number(await crest.ready);
  const { id } = fake.addContainer({ state: "running" });
  return {
    fake,
    dataDir,
    port,
    token: (await readFile(join(dataDir, "token"), "utf8")).trim(),
    process: crest,
    container: `/v1/containers/${id}`,
  };
}

/** The status of one request on a connection of its own; undefined when there is no answer. */
export async function statusOf(
  { port, token }: Pick<SpawnedGateway, "port" | "token">,
  path: string,
): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${token}`, connection: "close" };
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return status;
  } catch {
    return undefined;
  }
}
