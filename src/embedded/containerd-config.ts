/** The containerd configuration file, for every version in Debian: 1.6, 1.7 and 2.x. */

import { pauseName } from "./busybox.ts";
import type { Paths } from "./paths.ts";
import { cniBinDir } from "./requirements.ts";

/** The `[major, minor]` version of a containerd. */
export type ContainerdVersion = readonly [major: number, minor: number];

export interface ContainerdConfigOptions {
  readonly version: ContainerdVersion;
  readonly paths: Paths;
  /** See `restrictsOomScore`. */
  readonly restrictOomScore: boolean;
  /** The containerd snapshotter, which stacks image layers: `overlayfs` or `native`. */
  readonly snapshotter: string;
}

/** Its names in all versions. containerd ignores those that it does not know. */
const restartPlugins = ["io.containerd.internal.v1.restart", "io.containerd.monitor.container.v1.restart"];

/**
 * Returns the TOML text.
 *
 * Everything that containerd would put outside its own folders moves into them: `opt`, runc's state, the mounts of the
 * network namespaces. This avoids conflicts with other containerds, and lets us find what a killed one left behind. NRI
 * is off, because the machine has only one socket for it. The plugin that restarts containers is off, because a label
 * of a container or its image makes it run any program as root.
 */
export function containerdConfig(options: ContainerdConfigOptions): string {
  const { paths } = options;
  return `${options.version[0] >= 2 ? "version = 3" : "version = 2"}
root = ${toml(paths.root)}
state = ${toml(paths.state)}
disabled_plugins = [${restartPlugins.map(toml).join(", ")}]

[grpc]
address = ${toml(paths.socket)}

[plugins."io.containerd.internal.v1.opt"]
path = ${toml(`${paths.root}/opt`)}

[plugins."io.containerd.nri.v1.nri"]
disable = true

${options.version[0] >= 2 ? criVersion3(options) : criVersion2(options)}`;
}

/** containerd 1.x has a single CRI plugin. */
function criVersion2({ paths, restrictOomScore, snapshotter }: ContainerdConfigOptions): string {
  const cri = `plugins."io.containerd.grpc.v1.cri"`;
  return `[${cri}]
sandbox_image = ${toml(pauseName)}
restrict_oom_score_adj = ${restrictOomScore}
netns_mounts_under_state_dir = true

[${cri}.cni]
bin_dir = ${toml(cniBinDir)}
conf_dir = ${toml(paths.cniConfDir)}

[${cri}.containerd]
snapshotter = ${toml(snapshotter)}

${runc(cri, paths)}`;
}

/** containerd 2.x has separate plugins for images and runtime. */
function criVersion3({ version, paths, restrictOomScore, snapshotter }: ContainerdConfigOptions): string {
  const runtime = `plugins."io.containerd.cri.v1.runtime"`;
  const images = `plugins."io.containerd.cri.v1.images"`;
  // 2.1 renamed it and rejects a file with both.
  const binDirs =
    version[0] > 2 || version[1] >= 1 ? `bin_dirs = [${toml(cniBinDir)}]` : `bin_dir = ${toml(cniBinDir)}`;
  return `[${images}]
snapshotter = ${toml(snapshotter)}

[${images}.pinned_images]
sandbox = ${toml(pauseName)}

[${runtime}]
restrict_oom_score_adj = ${restrictOomScore}
netns_mounts_under_state_dir = true

[${runtime}.cni]
${binDirs}
conf_dir = ${toml(paths.cniConfDir)}

${runc(runtime, paths)}`;
}

function runc(plugin: string, paths: Paths): string {
  return `[${plugin}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[${plugin}.containerd.runtimes.runc.options]
Root = ${toml(paths.runcRoot)}
`;
}

/** A TOML basic string. JSON's escapes are a subset of TOML's. */
function toml(text: string): string {
  return JSON.stringify(text);
}

/**
 * Parses the output of `containerd --version` into the full version text and its number.
 *
 * Returns undefined if there is none. A leading `v` and Debian's suffix are not part of the text.
 */
export function parseContainerdVersion(
  banner: string,
): { readonly text: string; readonly version: ContainerdVersion } | undefined {
  const [text, major, minor] = /(?<=\sv?)(\d+)\.(\d+)\.\d+/.exec(banner) ?? [];
  if (text === undefined) return undefined;
  return { text, version: [Number(major), Number(minor)] };
}

/** Number of CAP_SYS_RESOURCE in capabilities(7). */
const capSysResource = 24n;

/**
 * Whether pods may not have a lower OOM score than this process, given the text of /proc/self/status.
 *
 * Without CAP_SYS_RESOURCE, as on many nested machines, the kernel rejects a score below one's own, and no pod would
 * start ("can't get final child's PID from pipe: EOF").
 */
export function restrictsOomScore(procStatus: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(procStatus)?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 0n;
}
