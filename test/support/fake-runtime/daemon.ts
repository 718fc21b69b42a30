/** What a runtime reports about itself. */
import type { UpdateRuntimeConfigRequest } from "./messages.ts";
import { statusInfo } from "./verbose.ts";
import { type Handler, refuse } from "./world.ts";

export const version: Handler<object> = ({ manner }) => ({
  version: "0.1.0",
  runtimeName: manner.runtimeName,
  runtimeVersion: manner.runtimeVersion,
  runtimeApiVersion: "v1",
});

export const daemonStatus: Handler<{ verbose?: boolean }> = (world, { verbose }) => {
  const { name, family, handlers } = world.manner;
  const conditions = ["RuntimeReady", "NetworkReady"];
  if (name === "containerd-1.7" || name === "containerd-2.1")
    conditions.push("ContainerdHasNoDeprecationWarnings");
  const tellsFeatures = name === "containerd-2.1" || family === "cri-o";
  const features = { recursiveReadOnlyMounts: true, userNamespaces: true };
  return {
    status: { conditions: conditions.map((type) => ({ type, status: true })) },
    info: verbose ? statusInfo(world) : undefined,
    runtimeHandlers:
      tellsFeatures || family === "cri-dockerd"
        ? ["", ...handlers].map((handler) => ({
            name: handler,
            features: tellsFeatures ? features : undefined,
          }))
        : undefined,
    features: tellsFeatures ? { supplementalGroupsPolicy: true } : undefined,
  };
};

export const runtimeConfig: Handler<object> = () => ({ linux: { cgroupDriver: "CGROUPFS" } });

export const updateRuntimeConfig: Handler<UpdateRuntimeConfigRequest> = ({ manner }, request) => {
  refuse(manner.refuse.updateRuntimeConfig(request));
  return {};
};
