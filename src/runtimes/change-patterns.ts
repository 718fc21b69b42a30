/**
 * How runtimes refuse an operation because another one on the same container or pod is under way: a start, a stop, a
 * removal. The state that they show lags behind, so that reading it does not explain the refusal.
 */

import { inOrder } from "../cri/text-pattern.ts";
import { creations, type ErrorPattern } from "./error-pattern.ts";

const changes = [
  "RuntimeService/StartContainer",
  "RuntimeService/StopContainer",
  "RuntimeService/RemoveContainer",
  "RuntimeService/UpdateContainerResources",
  "RuntimeService/StopPodSandbox",
  "RuntimeService/RemovePodSandbox",
] as const;

export const changePatterns: readonly ErrorPattern[] = [
  {
    // containerd; of a removal that a start overtook "container is still running, to stop first".
    text: /is (already )?in (starting|removing) state|(is still running|state is unknown), to stop first/,
    code: "state_changing",
    of: changes,
  },
  {
    // Docker.
    text: /removal of container \S+ is already in progress|is marked for removal and cannot be|is restarting, wait until the container is running/,
    code: "state_changing",
    of: changes,
  },
  {
    // CRI-O, of a pod or container that another client is making at the moment.
    text: inOrder("error reserving ", ": name is reserved"),
    code: "state_changing",
    of: creations,
  },
  {
    // A container is paused while it is checkpointed, or by somebody on the node.
    text: /in a paused (state|container)|is paused, unpause the container|cannot (start|update|checkpoint|delete) a paused/,
    code: "conflict",
  },
];

/**
 * How runtimes, their shims, runc and crun say that a container has ended, or is being stopped, while a command was to
 * be run in it.
 */
export const saysNotRunning =
  /cannot (exec|update|checkpoint) (in )?a (stopped|deleted|container that has (been )?stopped)|no running task found|task \S+ not found|container is (stopping|not created or running)|container `[^`]*` is not running|container \S+ is not running|container not running \(/i;

/**
 * How runc fails when the container ends while a command is started in it, in words that mean something else otherwise:
 * files of the container's process or of its cgroup are gone, or it is paused, as runc pauses what it kills.
 */
export const saysVanished = /\/proc\/\d+\/ns\/|error adding pid \d+ to cgroups|in a paused container/;
