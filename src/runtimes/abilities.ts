/** What the runtime says about itself that decides which fields of a request it uses. */
import { existsSync } from "node:fs";
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { oncePerConnection } from "../cri/once-per-connection.ts";
import type { RuntimeFeatures, RuntimeHandlerFeatures } from "../gen/messages.ts";
import { type Identity, identify } from "./identity.ts";

/** The switches of containerd's own configuration that turn fields off. Absent on other runtimes. */
export interface Switches {
  readonly enableCDI?: boolean;
  readonly enableSelinux?: boolean;
  readonly disableHugetlbController?: boolean;
}

export interface Abilities extends Identity {
  /** Undefined if the runtime is older than the report, as containerd 1.x. */
  readonly features: RuntimeFeatures | undefined;
  /** Features by the name of the handler, for those that report them. The default handler has the empty name. */
  readonly handlers: ReadonlyMap<string, RuntimeHandlerFeatures>;
  readonly switches: Switches;
  readonly nodeHasSelinux: boolean;
}

/** Queried once per connection. @throws {GatewayError} When the runtime does not answer. */
export const readAbilities: (runtime: Runtime) => Promise<Abilities> = oncePerConnection(async (runtime) => {
  const identity = await identify(runtime);
  const { features, runtimeHandlers, info } = await call(runtime, "RuntimeService/Status", { verbose: true });
  return {
    ...identity,
    features,
    handlers: new Map(
      runtimeHandlers.flatMap((one) =>
        one.features === undefined ? [] : [[one.name, one.features] as const],
      ),
    ),
    switches: identity.name === "containerd" ? switchesIn(info.config) : {},
    nodeHasSelinux: existsSync("/sys/fs/selinux/enforce"),
  };
});

/** containerd prints its configuration as JSON in the verbose status. Nothing else of it is kept. */
function switchesIn(text = "{}"): Switches {
  try {
    const config = JSON.parse(text) as { readonly [name: string]: unknown } | null;
    const given = ["enableCDI", "enableSelinux", "disableHugetlbController"].map(
      (name) => [name, config?.[name]] as const,
    );
    return Object.fromEntries(given.filter(([, value]) => typeof value === "boolean"));
  } catch {
    return {};
  }
}
