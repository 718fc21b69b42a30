/**
 * Errors of runtimes that refuse an operation because another one on the same container or pod is in progress: a start,
 * a stop, a removal. The state that they report lags behind, so reading it does not explain the refusal.
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
    // containerd. A removal overtaken by a start fails with "container is still running, to stop first".
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
    // CRI-O, when another client is creating the pod or container.
    text: inOrder("error reserving ", ": name is reserved"),
    code: "state_changing",
    of: creations,
  },
  {
    // A container is paused during a checkpoint, or by someone on the node.
    text: /in a paused (state|container)|is paused, unpause the container|cannot (start|update|checkpoint|delete) a paused/,
    code: "conflict",
  },
];

/**
 * Errors of runtimes, their shims, runc and crun when a command should run in a container that has exited or is being
 * stopped.
 */
export const saysNotRunning =
  /cannot (exec|update|checkpoint) (in )?a (stopped|deleted|container that has (been )?stopped)|no running task found|task \S+ not found|container is (stopping|not created or running)|container `[^`]*` is not running|container \S+ is not running|container not running \(/i;

/**
 * Errors of runc when the container exits while a command is being started in it. These texts are ambiguous: files of
 * the container's process or cgroup are gone, or it is paused, as runc pauses what it kills.
 */
export const saysVanished = /\/proc\/\d+\/ns\/|error adding pid \d+ to cgroups|in a paused container/;
