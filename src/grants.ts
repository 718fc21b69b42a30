/**
 * The grant words: the single declaration from which the route table, flags, variables and refusals are derived.
 *
 * Imports nothing.
 */

/**
 * What may follow the `=` after a word:
 * - `kinds`: some of the word's kinds, `--allow-read=pods,images`, or of these only those of some pods,
 *   `--allow-read=stats:demo/web`, or everything of some pods, `--allow-read=demo/*`;
 * - `prefixes`: registries, with or without a path, `--allow-pull=docker.io/library`;
 * - `hosts`: what of the node a pod may reach, `--allow-host=port:8080`: see {@link hostWords};
 * - `scope`: the pods that it applies to, `--allow-exec=demo/web`: see `access/scope.ts`;
 * - `ports`: such pods, or ports of them, `--allow-forward=demo/web:80,8000-8010`;
 * - `nothing`: the word cannot be narrowed.
 */
type Takes = "kinds" | "prefixes" | "hosts" | "scope" | "ports" | "nothing";

interface Word {
  readonly takes: Takes;
  /** One line for help texts: what a caller may do. */
  readonly summary: string;
  readonly kinds?: readonly string[];
}

/** Word -> what it permits. New words may be added, but none may be renamed: they are flags, variables and API. */
export const grantWords = {
  read: {
    takes: "kinds",
    kinds: ["pods", "containers", "images", "stats", "events", "runtime"],
    summary: "List and inspect, wait for the end of a container",
  },
  logs: { takes: "scope", summary: "Read the logs of containers" },
  run: { takes: "scope", summary: "Create and start pods and containers, change their resources" },
  stop: { takes: "scope", summary: "Stop pods and containers" },
  remove: { takes: "scope", summary: "Remove pods and containers" },
  exec: { takes: "scope", summary: "Run commands in containers, attach to them" },
  checkpoint: { takes: "scope", summary: "Checkpoint containers and pods, restore pods" },
  forward: { takes: "ports", summary: "Connect to ports of pods" },
  pull: { takes: "prefixes", summary: "Pull images" },
  "image-remove": { takes: "nothing", summary: "Remove images" },
  verbose: {
    takes: "nothing",
    summary: "Verbose status: it shows environments and the runtime's own configuration",
  },
  unmanaged: {
    takes: "nothing",
    summary: "Change pods that Crest did not create (a kubelet's, for one)",
  },
  host: {
    takes: "hosts",
    summary:
      "Reach the node itself: privileged, host namespaces, paths, devices; all of it is root on the node",
  },
} as const satisfies { readonly [word: string]: Word };

export type GrantWord = keyof typeof grantWords;

/**
 * What follows a host word:
 * - `nothing`: the word stands alone;
 * - `folder`: a path of the node, and what is below it;
 * - `ports`: a port or a range;
 * - `name`: exactly this name;
 * - `names`: a name, or the beginning of one before a `*`.
 */
export type HostTakes = "nothing" | "folder" | "ports" | "name" | "names";

interface HostWord {
  readonly takes: HostTakes;
  /** A valid value, for messages. */
  readonly example?: string;
  /** What a pod may then do. */
  readonly summary: string;
}

/** What `--allow-host=` and `--deny-host=` may name: everything of the node that a pod may ask for. */
export const hostWords = {
  privileged: { takes: "nothing", summary: "run privileged, which is root on the node" },
  network: { takes: "nothing", summary: "use the node's network" },
  pid: { takes: "nothing", summary: "see the node's processes, or those of another container" },
  ipc: { takes: "nothing", summary: "use the node's IPC namespace" },
  userns: { takes: "nothing", summary: "choose which users of the node its own are mapped to" },
  mount: {
    takes: "folder",
    example: "/srv/data:ro",
    summary: "mount exactly this path; with `:ro` read-only, and also what is below it",
  },
  propagation: { takes: "nothing", summary: "let mounts appear in the container, or on the node, later" },
  device: { takes: "folder", example: "/dev/kvm", summary: "use this device, or those in this folder" },
  cdi: { takes: "names", example: "vendor.com/gpu=*", summary: "use CDI devices" },
  port: { takes: "ports", example: "8000-8010", summary: "publish ports of the node" },
  cap: { takes: "name", example: "NET_ADMIN", summary: "add this capability" },
  sysctl: { takes: "names", example: "net.core.*", summary: "set sysctls that are not safe" },
  unconfined: { takes: "nothing", summary: "run without a seccomp or an AppArmor profile" },
  seccomp: { takes: "folder", example: "/etc/crest/seccomp", summary: "use seccomp profiles of the node" },
  apparmor: { takes: "name", example: "my-profile", summary: "use this AppArmor profile of the node" },
  selinux: { takes: "name", example: "spc_t", summary: "use this SELinux type, user or role" },
  unmasked: {
    takes: "nothing",
    summary:
      "see and write to what is hidden or read-only in /proc and /sys otherwise, which as root is root on the node",
  },
  escalation: { takes: "nothing", summary: "gain privileges, through setuid programs for example" },
  logs: { takes: "folder", example: "/var/log/pods", summary: "keep logs below this folder" },
  cgroup: { takes: "nothing", summary: "choose its cgroup, and set raw values of it" },
  oom: { takes: "nothing", summary: "be spared when memory runs out (a negative oomScoreAdj)" },
  annotation: {
    takes: "names",
    example: "io.katacontainers.*",
    summary: "carry annotations that runtimes act on",
  },
  runtime: { takes: "name", example: "kata", summary: "use this runtime handler" },
  checkpoint: {
    takes: "folder",
    example: "/var/lib/checkpoints",
    summary: "write and restore checkpoints below this folder",
  },
  windows: { takes: "nothing", summary: "carry a Windows config" },
  root: { takes: "nothing", summary: "run as root, where the policy is restricted" },
  writable: { takes: "nothing", summary: "write to its root file system, where the policy is restricted" },
  unlimited: { takes: "nothing", summary: "have no memory limit, where the policy is restricted" },
} as const satisfies { readonly [word: string]: HostWord };

export type HostWordName = keyof typeof hostWords;

/** The kinds that a word may be narrowed to. */
export type KindOf<W extends GrantWord> = (typeof grantWords)[W] extends {
  readonly kinds: readonly (infer K extends string)[];
}
  ? K
  : never;

/** What an operation needs: a word, or a word with a kind, such as `read:pods`. */
export type Grant = {
  [W in GrantWord]: [KindOf<W>] extends [never] ? W : `${W}:${KindOf<W>}`;
}[GrantWord];

/** The words in declaration order. */
export const grantWordNames = Object.keys(grantWords) as readonly GrantWord[];

/** Every grant that an operation may need, in the order of the words. */
export const allGrants: readonly Grant[] = grantWordNames.flatMap((name) => {
  const word: Word = grantWords[name];
  return (word.kinds?.map((kind) => `${name}:${kind}`) ?? [name]) as Grant[];
});

/** What may be read of some pods: `demo/*`, `label:app=web`, `stats:demo/web`. */
type ReadScope = `${string}/${string}` | `${string}:${string}`;

/** The narrowing of one word: some of its kinds, registry prefixes, host words such as `port:8080`, or scopes. */
export type NarrowingOf<W extends GrantWord> = (typeof grantWords)[W]["takes"] extends "kinds"
  ? readonly (KindOf<W> | ReadScope)[]
  : (typeof grantWords)[W]["takes"] extends "nothing"
    ? never
    : readonly string[];

/** Word -> `true` for all of it, or what it is narrowed to (never empty). Absent: not in the set. */
export type GrantSet = { readonly [W in GrantWord]?: true | NarrowingOf<W> };

/** How much a pod may ask for without a host word: see docs/grants.md. */
export const policyLevels = ["baseline", "restricted"] as const;
export type PolicyLevel = (typeof policyLevels)[number];
export const isPolicyLevel = (text: string): text is PolicyLevel =>
  policyLevels.some((level) => level === text);

/** What a process or a caller may do. A denial overrides all grants, including `all`. */
export interface Grants {
  /** Grants everything that is not denied. */
  readonly all: boolean;
  readonly allow: GrantSet;
  readonly deny: GrantSet;
}

/** The flag that gives this grant, for error messages: `--allow-read=pods`, `--allow-exec`. */
export function describeGrant(grant: Grant): string {
  return `--allow-${grant.replace(":", "=")}`;
}
