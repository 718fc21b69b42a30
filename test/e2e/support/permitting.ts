/** Gateways with grants of their own, in front of one private containerd. */
import assert from "node:assert/strict";
import { createApp } from "../../../src/app.ts";
import { parseCommandLine } from "../../../src/config.ts";
import { connect } from "../../../src/cri/channel.ts";
import type { Embedded } from "../../../src/embedded/containerd.ts";
import { type Api, createApi } from "./api.ts";
import { newName, type Resource, removePod, runContainer, runPod } from "./pods.ts";

/** Runs `use` with a gateway that has these flags besides read, exec, remove and run. */
export type Permitting = (flags: readonly string[], use: (api: Api) => Promise<void>) => Promise<void>;

export function permittingOn(dataDir: string, runtime: () => Embedded): Permitting {
  return async (flags, use) => {
    const args = ["serve", `--data-dir=${dataDir}`, "--listen=127.0.0.1:0", "--allow-read", "--allow-exec"];
    const command = parseCommandLine([...args, "--allow-remove", "--allow-run", ...flags], {});
    assert.ok("config" in command);
    const connection = connect({ runtimeEndpoint: runtime().socket });
    const token = newName();
    const app = createApp({ config: command.config, runtime: connection, token, log: () => undefined });
    const api = createApi(await app.listen(), token);
    try {
      await use(api);
    } finally {
      api.close();
      await app.close();
      connection.close();
    }
  };
}

/** Runs a container in a pod of its own, and removes both. */
export async function inside(
  api: Api,
  { pod = {}, container = {} }: { readonly pod?: object; readonly container?: object },
  use: (container: Resource, pod: Resource) => Promise<void>,
): Promise<void> {
  const made = await runPod(api, pod);
  try {
    await use(await runContainer(api, made, container), made);
  } finally {
    await removePod(api, made);
  }
}
