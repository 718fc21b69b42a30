/**
 * Fields that some runtimes ignore without an error.
 *
 * Measured on containerd 1.6.20, 1.7.24 and 2.1.9; read in the sources of CRI-O and cri-dockerd. Newer versions than
 * these are taken to use a field, unless they report otherwise.
 */
import type { Input } from "../cri/codec.ts";
import type { Messages, RuntimeFeatures, RuntimeHandlerFeatures } from "../gen/messages.ts";
import type { Abilities } from "./abilities.ts";
import { before, versionOf } from "./runtime-version.ts";

/** What decides whether a field is used. */
export interface Facts extends Abilities {
  /** The features of the pod's handler; undefined if it reports none. */
  readonly handler: RuntimeHandlerFeatures | undefined;
}

/**
 * `refused`: without the field, a container would have more rights than were asked for, or run on something else.
 * `warned`: it would only have less.
 */
export type Outcome = "refused" | "warned";

/** One field. `V` is its value, which is given and not its default, `M` the message that has it. */
export interface Droppable<V, M> {
  /** The member of the field that is ignored. Default: all of the field. */
  readonly at?: string;
  /** What the caller gets without it. */
  readonly loss: string;
  readonly outcome: Outcome | ((value: V, facts: Facts) => Outcome);
  /** Whether this value asks for anything. Default: it does. */
  readonly asks?: (value: V, message: M) => boolean;
  /** Whether this runtime ignores it. */
  readonly isDropped: (facts: Facts, message: M) => boolean;
  /** Whether this depends on the pod's handler. */
  readonly ofHandler?: true;
}

type Table = {
  readonly [M in keyof Messages]?: {
    readonly [F in keyof Messages[M]]?: Droppable<NonNullable<Input<Messages[M][F]>>, Input<Messages[M]>>;
  };
};

// ---- When a field is ignored ----

type Test = (facts: Facts) => boolean;

const isContainerd = ({ name }: Facts): boolean => name === "containerd";
const isDockerd: Test = ({ name }) => name === "docker";
const onContainerdBefore =
  (major: number, minor: number): Test =>
  (facts) =>
    isContainerd(facts) && before(major, minor)(versionOf(facts.version));
const any =
  (...tests: readonly Test[]): Test =>
  (facts) =>
    tests.some((test) => test(facts));

/** As Kubernetes has it, a feature that is not reported is not there. */
const withoutFeature =
  (feature: keyof RuntimeFeatures): Test =>
  ({ features }) =>
    features?.[feature] !== true;
const withoutHandlerFeature =
  (feature: keyof RuntimeHandlerFeatures): Test =>
  ({ handler }) =>
    handler?.[feature] !== true;

/** containerd 1.7 and older versions of CRI-O have user namespaces and do not report them. */
const withoutUserNamespaces: Test = (facts) => {
  if (facts.handler !== undefined) return !facts.handler.userNamespaces;
  return !(facts.name === "cri-o" || (isContainerd(facts) && !onContainerdBefore(1, 7)(facts)));
};

/** containerd 1.7 has them, turned off by default. */
const withoutCdi: Test = (facts) =>
  isDockerd(facts) ||
  (isContainerd(facts) && !(facts.switches.enableCDI ?? !onContainerdBefore(2, 0)(facts)));

const onLinux: Test = () => process.platform === "linux";

/** Options of a mount that take rights away. Others are of use, or give some. */
export const narrowingMountOptions: ReadonlySet<string> = new Set(["noexec", "nodev", "nosuid", "ro"]);

// ---- The rows that several messages share ----

const strictGroups = {
  loss: "the groups that the image gives to the user would be added",
  outcome: "refused",
  asks: (policy: string) => policy === "Strict",
  isDropped: withoutFeature("supplementalGroupsPolicy"),
} as const;

const idMappings = {
  loss: "users of the container would be those of the node in this mount",
  outcome: "refused",
  isDropped: any(onContainerdBefore(1, 7), isDockerd),
} as const;

const selinux = {
  loss: "the container would run without this SELinux label",
  // Where the node has no SELinux, no label limits anything.
  outcome: (_: unknown, { nodeHasSelinux }: Facts): Outcome => (nodeHasSelinux ? "refused" : "warned"),
  isDropped: ({ switches }: Facts) => switches.enableSelinux === false,
} as const;

const windows = {
  loss: "it has no effect on Linux",
  outcome: "warned",
  isDropped: onLinux,
} as const;

// ---- The table ----

/** Message -> field. */
export const droppedFields: Table = {
  PodSandboxConfig: { windows },
  NamespaceOption: {
    usernsOptions: {
      loss: "users of the pod would be those of the node",
      outcome: "refused",
      asks: ({ mode = "POD" }) => mode !== "NODE",
      ofHandler: true,
      isDropped: (facts, { network }) =>
        withoutUserNamespaces(facts) ||
        (network === "NODE" &&
          facts.features !== undefined &&
          withoutFeature("userNamespacesHostNetwork")(facts)),
    },
  },
  LinuxSandboxSecurityContext: { selinuxOptions: selinux, supplementalGroupsPolicy: strictGroups },

  ContainerConfig: {
    windows,
    CDIDevices: { loss: "the container would have no such device", outcome: "warned", isDropped: withoutCdi },
    stopSignal: {
      loss: "the container is stopped with the signal of its image",
      outcome: "warned",
      asks: (signal) => signal !== "SIGNAL_RUNTIME_DEFAULT",
      isDropped: any(onContainerdBefore(2, 2), isDockerd),
    },
  },
  Mount: {
    recursiveReadOnly: {
      loss: "what is mounted below this mount would stay writable",
      outcome: "refused",
      ofHandler: true,
      isDropped: withoutHandlerFeature("recursiveReadOnlyMounts"),
    },
    mountOptions: {
      loss: "the mount would not have these options",
      outcome: (options) =>
        options.some((option) => narrowingMountOptions.has(option)) ? "refused" : "warned",
      isDropped: withoutFeature("mountOptions"),
    },
    uidMappings: idMappings,
    gidMappings: idMappings,
    image: {
      loss: "the image would not be mounted, but the `hostPath` if there is one",
      outcome: "refused",
      isDropped: onContainerdBefore(2, 1),
    },
    imageSubPath: {
      loss: "the whole image would be mounted",
      outcome: "refused",
      asks: (_, { image }) => image !== undefined,
      isDropped: onContainerdBefore(2, 2),
    },
  },
  LinuxContainerSecurityContext: {
    selinuxOptions: selinux,
    supplementalGroupsPolicy: strictGroups,
    seccompProfilePath: {
      loss: "the container would run without a seccomp profile; `seccomp` is used",
      outcome: "refused",
      asks: (path, { seccomp }) => path !== "unconfined" && seccomp === undefined,
      isDropped: isDockerd,
    },
    apparmor: {
      loss: "the container would run with Docker's own AppArmor profile; `apparmorProfile` is used",
      outcome: ({ profileType }) => (profileType === "Localhost" ? "refused" : "warned"),
      asks: ({ profileType = "RuntimeDefault" }, { apparmorProfile = "" }) =>
        profileType !== "RuntimeDefault" && apparmorProfile === "",
      isDropped: isDockerd,
    },
  },
  Capability: {
    addAmbientCapabilities: {
      loss: "a program that does not run as root would not have them",
      outcome: "warned",
      isDropped: any(onContainerdBefore(2, 2), isDockerd),
    },
  },
  LinuxContainerResources: {
    hugepageLimits: {
      loss: "huge pages are not limited",
      outcome: "warned",
      isDropped: (facts) => isDockerd(facts) || facts.switches.disableHugetlbController === true,
    },
    unified: { loss: "the cgroup does not have these values", outcome: "warned", isDropped: isDockerd },
    memorySwapLimitInBytes: {
      loss: "the container may not use swap",
      outcome: "warned",
      isDropped: isDockerd,
    },
  },
  UpdateContainerResourcesRequest: {
    linux: {
      at: "oomScoreAdj",
      loss: "it stays as it was when the container was created",
      outcome: "warned",
      asks: ({ oomScoreAdj = "0" }) => oomScoreAdj !== "0",
      isDropped: any(onContainerdBefore(2, 2), isDockerd),
    },
    windows,
  },
};
