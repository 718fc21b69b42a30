/**
 * Differences between runtimes, by name and version, and how Crest handles them. Measured on containerd 1.6.20, 1.7.24
 * and 2.1.9, CRI-O 1.37 and cri-dockerd of April 2026.
 */

import { before, from, type Version, versionOf } from "./runtime-version.ts";

export interface Quirk {
  /** Stable identifier. */
  readonly code: string;
  readonly description: string;
}

interface Row extends Quirk {
  /** Runtime name, as reported by Version, and a test on its version. */
  readonly of: {
    readonly [runtimeName: string]: (version: Version) => boolean;
  };
}

const every = (): boolean => true;
const rows: readonly Row[] = [
  {
    code: "image_filter_ignored",
    description: "ListImages answers every image whatever the filter says; Crest applies it.",
    of: { containerd: every },
  },
  {
    code: "remove_image_by_id_only",
    description:
      "RemoveImage by name answers OK and removes nothing; Crest resolves the name to the id first.",
    of: { docker: every },
  },
  {
    code: "image_ids_without_prefix",
    description: "Images are known by the digits of their id alone; Crest takes `sha256:` away from ids.",
    of: { "cri-o": every },
  },
  {
    code: "container_needs_linux",
    description:
      "A container whose config has no `linux` is made outside its pod's namespaces; Crest always sends it.",
    of: { docker: every },
  },
  {
    code: "create_needs_sandbox_metadata",
    description: "Dies of a CreateContainer without the pod's metadata; Crest never sends one.",
    of: { containerd: every, docker: every },
  },
  {
    code: "pod_stats_need_cgroup_parent",
    description:
      "Listing pod stats fails as a whole when one pod has no cgroup parent, on 1.6 also when one has stopped; Crest gives each one and otherwise asks pod by pod.",
    of: { containerd: every },
  },
  {
    code: "pod_stats_one_at_a_time",
    description: "Dies of reading the stats of two pods at once; Crest asks for one after the other.",
    of: { containerd: before(2, 0) },
  },
  {
    code: "usage_nano_cores_missing",
    description: "The CPU rate is not always filled in; Crest computes it from the second reading on.",
    of: { containerd: every, docker: every },
  },
  {
    code: "sandbox_config_not_kept",
    description:
      "The verbose status does not hold the pod's config; Crest recalls it from an annotation, or from the status.",
    of: { "cri-o": every, docker: every },
  },
  {
    code: "existing_id_for_reserved_name",
    description:
      "RunPodSandbox and CreateContainer answer OK with the id of what has the name already; Crest answers 409.",
    of: { "cri-o": every },
  },
  {
    code: "host_ports_shared",
    description: "Runs a pod with a host port that another pod has; Crest answers 409.",
    of: { containerd: every },
  },
  {
    code: "start_restarts",
    description: "StartContainer starts an exited container again; Crest answers 409.",
    of: { docker: every },
  },
  {
    code: "go_zero_times",
    description: "Times that are not set come as Go's zero time; Crest writes 0.",
    of: { docker: every },
  },
  {
    code: "logs_are_json_file",
    description: "Log files are Docker's json-file behind symbolic links, and go with the container.",
    of: { docker: every },
  },
  {
    code: "exec_outlives_client",
    description: "A command goes on when the client of its session has gone.",
    of: { containerd: before(2, 0), "cri-o": every, docker: every },
  },
  {
    code: "exec_status_needs_stdin_read",
    description:
      "The exit status of a command never comes while more than about 128 KiB of its stdin are unread.",
    of: { containerd: every },
  },
  {
    code: "events_missing",
    description: "No container events.",
    of: { containerd: before(1, 7), docker: every },
  },
  {
    code: "events_single_reader",
    description: "A second reader of events takes them from the first.",
    of: { containerd: (version) => from(1, 7)(version) && before(2, 0)(version) },
  },
  {
    code: "events_block",
    description: "A reader of events that stops reading holds up pods and containers.",
    of: { containerd: from(2, 0), "cri-o": every },
  },
];

/** The quirks of a runtime, by the name and version from its Version RPC. */
export function quirksOf(runtimeName: string, runtimeVersion: string): readonly Quirk[] {
  const version = versionOf(runtimeVersion);
  return rows
    .filter(({ of }) => of[runtimeName]?.(version) ?? false)
    .map(({ code, description }) => ({ code, description }));
}
