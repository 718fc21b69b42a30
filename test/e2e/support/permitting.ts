/** Gateways whose callers may run containers and look inside of them. */
import type { Api } from "./api.ts";
import { type Resource, removePod, runContainer, runPod } from "./pods.ts";
import type { RuntimeSuite } from "./suite.ts";

/** Runs `use` with a gateway that permits what is needed to look inside of containers, and what `flags` add. */
export const permittingOn =
  (suite: RuntimeSuite): RuntimeSuite["permitting"] =>
  (flags, use) => {
    const needed = ["--allow-read", "--allow-exec", "--allow-remove", "--allow-run"];
    return suite.permitting([...needed, ...flags], use);
  };

/** Runs a container in a pod of its own, and removes both. */
export async function inside(
  api: Api,
  { pod = {}, container = {} }: { readonly pod?: object; readonly container?: object },
  use: (container: Resource) => Promise<void>,
): Promise<void> {
  const made = await runPod(api, pod);
  try {
    await use(await runContainer(api, made, container));
  } finally {
    await removePod(api, made);
  }
}
