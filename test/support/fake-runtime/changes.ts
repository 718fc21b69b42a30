/** A pending change of a container, and how each runtime rejects other operations meanwhile. */
import { type GrpcFault, unknown } from "./fault.ts";
import type { Manner } from "./manner.ts";
import type { FakeContainer } from "./state.ts";

/** The pending operation on a container whose state does not show it yet. */
export type Change = "starting" | "stopping" | "removing";

/** The operation that is attempted meanwhile. */
export type Wanted = "start" | "remove" | "update" | "exec";

type Refusals = {
  readonly [C in Change]?: { readonly [W in Wanted]?: (id: string) => string };
};

const startRefused = (id: string) => `failed to set starting state for container "${id}"`;
const removalRefused = (id: string) => `failed to set removing state for container "${id}"`;

const refusals: { readonly [F in Manner["family"]]: Refusals } = {
  containerd: {
    starting: {
      start: (id) => `${startRefused(id)}: container is already in starting state`,
      remove: (id) => `${removalRefused(id)}: container is in starting state, can't be removed`,
    },
    removing: {
      start: (id) => `${startRefused(id)}: container is in removing state, can't be started`,
      remove: (id) => `${removalRefused(id)}: container is already in removing state`,
      update: (id) => `failed to update resources: container "${id}" is in removing state`,
    },
    stopping: {
      exec: () =>
        'failed to exec in container: failed to create exec "4b0d9147": cannot exec in a stopped state: unknown',
    },
  },
  "cri-o": {
    stopping: {
      exec: () =>
        "command error: cannot register an exec PID: container is stopping, stdout: , stderr: , exit code -1",
    },
  },
  "cri-dockerd": {
    removing: {
      start: (id) =>
        `failed to start container "${id}": Error response from daemon: container is marked for removal and cannot be started`,
      remove: (id) =>
        `failed to remove container "${id}": Error response from daemon: removal of container ${id} is already in progress`,
      update: (id) =>
        `failed to update container "${id}": Error response from daemon: Cannot update container ${id}: container is marked for removal and cannot be "update"`,
    },
    stopping: { exec: (id) => `Error response from daemon: container ${id} is not running` },
  },
};

/** The error for `wanted` during the pending change; undefined if the runtime proceeds. */
export function changeFault(
  { family }: Manner,
  wanted: Wanted,
  { id, change }: FakeContainer,
): GrpcFault | undefined {
  const text = change && refusals[family][change]?.[wanted];
  return text && unknown(text(id));
}
