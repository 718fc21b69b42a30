/** Gateways that permit what is needed to look inside of containers, in front of one private containerd. */
import type { Api } from "./api.ts";
import { type Resource, removePod, runContainer, runPod } from "./pods.ts";
import type { RuntimeSuite } from "./suite.ts";

/** Runs `use` with a gateway that has these flags besides read, exec, remove and run. */
export type Permitting = (flags: readonly string[], use: (api: Api) => Promise<void>) => Promise<void>;

export function permittingOn(suite: RuntimeSuite): Permitting {
  const needed = ["--allow-read", "--allow-exec", "--allow-remove", "--allow-run"];
  return (flags, use) => suite.permitting([...needed, ...flags], use);
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
