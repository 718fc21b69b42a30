/**
 * Schemas of the answers that are Crest's own, not CRI's. The published document and the handlers' types derive from
 * them. A part with an `$id` becomes a component of that name. All schemas are open: a later gateway may add fields,
 * which a client generated from a closed schema would reject.
 *
 * Import only types from here, except to generate the document: TypeBox takes a tenth of a second to load.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { CustomRouteId, StreamRouteId } from "./index.ts";

/** One of several words. An `enum`, because client generators make a separate type of each part of an `anyOf`. */
const oneOf = <const Words extends readonly string[]>(words: Words, description: string) =>
  Type.Unsafe<Words[number]>({ type: "string", enum: words, description });

/** A whole number from 0 to 2^53. */
const integer = (description: string) => Type.Integer({ format: "int64", minimum: 0, description });

/** A list member that the runtime could not read. */
export const ListFailure = Type.Object(
  {
    id: Type.String({ description: "Id of the pod or container." }),
    code: Type.String({ description: "What kind of problem it is, as in a problem." }),
    detail: Type.String({ description: "What the runtime said." }),
  },
  { $id: "ListFailure", description: "A pod or a container that is missing in a list, and why." },
);

export const Problem = Type.Object(
  {
    type: Type.String({
      format: "uri-reference",
      description: "Relative reference to what this code means: `/docs/problems#not_found`.",
    }),
    title: Type.String({
      description: "Short name of the problem, the same for every problem of this code.",
    }),
    status: Type.Integer({ description: "HTTP status, as in the status line." }),
    detail: Type.String({ description: "What was wrong this time, and what would be right." }),
    instance: Type.Optional(Type.String({ description: "Path of the request, without its query." })),
    code: Type.String({ description: "Stable name of the problem, to branch on." }),
    requestId: Type.Optional(
      Type.String({
        description: "Name of this request in the gateway's log; also the header X-Request-Id.",
      }),
    ),
    grpcCode: Type.Optional(
      Type.String({ description: "Name of the gRPC status, when the runtime said it." }),
    ),
    retryable: Type.Boolean({ description: "Whether the same request may succeed later, unchanged." }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            pointer: Type.Optional(
              Type.String({ description: "JSON pointer into the body, as it was sent." }),
            ),
            parameter: Type.Optional(Type.String({ description: "Name of a path or query parameter." })),
            detail: Type.String({ description: "What is wrong there." }),
          },
          { $id: "ProblemError", description: "One mistake in a request, and its place." },
        ),
        { description: "The places of the mistakes, on a request that is invalid." },
      ),
    ),
    grant: Type.Optional(
      Type.String({ description: "On a refusal, the first of the grants that are missing: see `grants`." }),
    ),
    grants: Type.Optional(
      Type.Array(Type.String(), { description: "On a refusal, all grants that are missing." }),
    ),
    resource: Type.Optional(
      Type.String({ description: "On a refusal, the pod or image that the missing grant is for." }),
    ),
    candidates: Type.Optional(
      Type.Array(Type.String(), {
        description: "The ids that may be meant: of an ambiguous prefix, or of a name.",
      }),
    ),
    podSandboxId: Type.Optional(
      Type.String({ description: "The pod that a failed run left and that could not be removed." }),
    ),
    cursor: Type.Optional(
      Type.String({ description: "Of a cursor whose file is gone: the nearest one that exists." }),
    ),
  },
  { $id: "Problem", description: "What went wrong, as RFC 9457 has it." },
);

export const Grants = Type.Object(
  {
    name: Type.String({ description: "Who the caller is." }),
    tokenFile: Type.Optional(
      Type.String({ description: "Path of the file on the node that holds the caller's token." }),
    ),
    grants: Type.Array(
      Type.Object(
        {
          grant: Type.String({
            description: "A grant word, with what it is narrowed to: `exec`, `read:pods`.",
          }),
          only: Type.Optional(
            Type.Array(Type.String(), { description: "Registries or paths that pulls are narrowed to." }),
          ),
          except: Type.Optional(
            Type.Array(Type.String(), { description: "Registries or paths that pulls are denied." }),
          ),
        },
        { $id: "Granted", description: "One thing that the caller may do." },
      ),
      { description: "All that the caller may do." },
    ),
  },
  { description: "What the caller may do." },
);

export const Capabilities = Type.Object(
  {
    runtimeName: Type.String({ description: "Name that the runtime gives itself." }),
    runtimeVersion: Type.String({ description: "Version that the runtime gives itself." }),
    rpcs: Type.Array(
      Type.Object(
        {
          rpc: Type.String({ description: "Service and RPC: `RuntimeService/ListContainers`." }),
          support: oneOf(
            ["answered", "unimplemented", "unknown"],
            "Whether the runtime has it; `unknown` until it was really used, where asking would change something.",
          ),
        },
        { $id: "RpcSupport", description: "Whether a runtime has an RPC." },
      ),
      { description: "Every RPC of CRI v1." },
    ),
    events: oneOf(
      ["containerd", "cri", "lists"],
      "Where events come from: containerd's own event service, CRI's GetContainerEvents, or only the difference of lists, which is a second late and cannot see what begins and ends in between.",
    ),
    quirks: Type.Array(
      Type.Object(
        {
          code: Type.String({ description: "Stable name of the quirk." }),
          description: Type.String({ description: "What the runtime does, and what Crest does about it." }),
        },
        { $id: "Quirk", description: "One way in which a runtime differs from others." },
      ),
      { description: "Where this runtime and version differ from others." },
    ),
  },
  { description: "What a runtime can do." },
);

const state = Type.String({
  description: "State of the container: `CONTAINER_RUNNING`, `CONTAINER_EXITED`.",
});

export const WaitAnswer = Type.Object(
  {
    exited: Type.Boolean({
      description: "Whether the container has exited; false when the time had passed before.",
    }),
    state,
    exitCode: Type.Optional(
      Type.Integer({ format: "int32", description: "Exit code of its main process, once it has exited." }),
    ),
    reason: Type.Optional(
      Type.String({
        description: "Why it exited, in the runtime's word: `Completed`, `Error`, `OOMKilled`.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "What the runtime adds to the reason." })),
    finishedAt: Type.Optional(
      Type.String({ format: "int64", description: "When it exited, in nanoseconds since the Unix epoch." }),
    ),
  },
  { description: "How a container ended, or that it has not." },
);

/** Null rather than absent: a sparkline has a gap there. */
const figure = (description: string) => Type.Unsafe<number | null>({ type: ["number", "null"], description });

export const LiveUsage = Type.Object(
  {
    time: Type.String({ description: "When it was read (RFC 3339)." }),
    id: Type.String({ description: "Id of the pod or container." }),
    name: Type.String({ description: "Name of the pod or container." }),
    namespace: Type.String({ description: "Namespace of the pod." }),
    pod: Type.Optional(Type.String({ description: "Name of the pod of a container." })),
    podSandboxId: Type.Optional(Type.String({ description: "Id of the pod of a container." })),
    cores: figure("CPU cores that it used since the reading before; null in the first one."),
    coresLimit: figure("CPU cores that it may use; null without a limit."),
    cpuPercentOfLimit: figure("`cores` in per cent of `coresLimit`."),
    cpuPercentOfNode: figure("`cores` in per cent of all cores of the node."),
    workingSetBytes: figure(
      "Memory that cannot be freed at once: usage without inactive pages of files. The OOM killer looks at it.",
    ),
    memoryUsageBytes: figure("Memory in use, with the page cache."),
    memoryLimitBytes: figure("Memory that it may use; null without a limit."),
    memoryPercentOfLimit: figure("`workingSetBytes` in per cent of `memoryLimitBytes`."),
    memoryPercentOfNode: figure("`workingSetBytes` in per cent of the memory of the node."),
    receivedBytesPerSecond: figure("Network traffic to a pod; null for a container, which shares its pod's."),
    sentBytesPerSecond: figure("Network traffic from a pod."),
    readBytesPerSecond: figure("What it read from block devices."),
    writtenBytesPerSecond: figure("What it wrote to block devices."),
    filesystemUsedBytes: figure("Size of a container's writable layer."),
  },
  {
    $id: "LiveUsage",
    description:
      "What a pod or a container uses. A figure is null while it is not known: rates in the first reading and after a restart, and what this runtime does not tell.",
  },
);

export const LiveUsages = Type.Object(
  {
    time: Type.String({ description: "When they were read (RFC 3339)." }),
    items: Type.Array(LiveUsage, {
      description: "All that were there. What is missing in the next reading has ended.",
    }),
  },
  { $id: "LiveUsages", description: "What pods or containers use, at one moment." },
);

export const EventItem = Type.Object(
  {
    type: oneOf(
      [
        "pod.created",
        "pod.ready",
        "pod.stopped",
        "pod.removed",
        "container.created",
        "container.started",
        "container.exec",
        "container.oom",
        "container.exited",
        "container.removed",
        "image.pulled",
        "image.tagged",
        "image.removed",
        "bookmark",
        "resync",
        "gap",
      ],
      "What happened. `bookmark`: everything up to its `id` has been sent. `resync`: events may be missing before it. `gap`: the reader was too slow, and the stream ends.",
    ),
    time: Type.String({ description: "When it happened: RFC 3339, in UTC." }),
    id: Type.Optional(
      Type.String({
        description:
          "Its place in the sequence, `BOOT.SEQ`: send it as `since` or `Last-Event-ID` to continue behind it. What is in a snapshot has none.",
      }),
    ),
    snapshot: Type.Optional(
      Type.Boolean({ description: "Whether it is the state of something that exists, and not news." }),
    ),
    namespace: Type.Optional(Type.String({ description: "Namespace of the pod." })),
    pod: Type.Optional(Type.String({ description: "Name of the pod, or of the container's pod." })),
    podSandboxId: Type.Optional(Type.String({ description: "Id of the pod, or of the container's pod." })),
    container: Type.Optional(Type.String({ description: "Name of the container." })),
    containerId: Type.Optional(Type.String({ description: "Id of the container." })),
    image: Type.Optional(
      Type.String({ description: "Image of the container; of an image, the first of its names." }),
    ),
    imageId: Type.Optional(Type.String({ description: "Id of the image." })),
    repoTags: Type.Optional(Type.Array(Type.String(), { description: "The image's names with a tag." })),
    repoDigests: Type.Optional(
      Type.Array(Type.String(), { description: "The image's names with a digest." }),
    ),
    labels: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description: "Labels of the pod, and those of the container over them.",
      }),
    ),
    exitCode: Type.Optional(
      Type.Integer({
        format: "int32",
        description: "Exit code of the container's main process, or of a command that has ended in it.",
      }),
    ),
    signal: Type.Optional(
      Type.String({ description: "Signal that the exit code stands for: `SIGKILL` for 137." }),
    ),
    reason: Type.Optional(
      Type.String({
        description: "Why it exited: `Completed`, `Error`, `OOMKilled`, or the runtime's word.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "What the runtime adds to the reason." })),
    oom: Type.Optional(
      Type.Boolean({
        description: "Whether the kernel killed a process of the container for lack of memory.",
      }),
    ),
    execId: Type.Optional(
      Type.String({
        description: "Of a command that began in the container, or ended if there is an exit code.",
      }),
    ),
    amends: Type.Optional(
      Type.String({
        description: "Id of an earlier event that this one replaces: the runtime has said more since.",
      }),
    ),
    gap: Type.Optional(Type.Integer({ description: "How many events the reader has missed." })),
  },
  { $id: "EventItem", description: "Something that happened on the node, or the state of the stream." },
);

export const EventList = Type.Object(
  {
    items: Type.Array(EventItem, {
      description: "What is on the node, or what has happened since, in its order.",
    }),
    lastEventId: Type.String({ description: "Send it as `since` to learn what happens after this answer." }),
  },
  { $id: "EventList", description: "What is on the node, or what has happened on it." },
);

export const RemovedImage = Type.Object(
  {
    id: Type.String({ description: "Id of the image." }),
    repoTags: Type.Array(Type.String(), { description: "Its names with a tag: all of them went." }),
    repoDigests: Type.Array(Type.String(), { description: "Its names with a digest: all of them went." }),
    dryRun: Type.Boolean({ description: "Whether nothing was removed." }),
  },
  { description: "An image that was removed, or would be." },
);

const bytes = (description: string) => Type.Integer({ format: "int64", minimum: 0, description });

const pruneFailures = (what: string, name: string) =>
  Type.Array(
    Type.Object(
      {
        id: Type.String({ description: `Id of the ${what}.` }),
        code: Type.String({ description: "What kind of problem it is, as in a problem." }),
        detail: Type.String({ description: "What was wrong." }),
      },
      { $id: name, description: `A ${what} that could not be removed, and why.` },
    ),
    { description: "What could not be removed. The others were removed nevertheless." },
  );

const dryRun = Type.Boolean({ description: "Whether nothing was removed." });
const removed = Type.Boolean({ description: "Whether it was removed." });

export const PrunedImages = Type.Object(
  {
    dryRun,
    images: Type.Array(
      Type.Object(
        {
          id: Type.String({ description: "Id of the image." }),
          repoTags: Type.Array(Type.String(), { description: "Its names with a tag." }),
          repoDigests: Type.Array(Type.String(), { description: "Its names with a digest." }),
          reason: oneOf(
            ["unused", "untagged"],
            "`untagged`: nothing uses it, and it has no name with a tag.",
          ),
          bytes: bytes("Its size. Layers that it shares with other images stay."),
          removed,
        },
        { $id: "PrunedImage", description: "An image that nothing uses." },
      ),
      { description: "The images that nothing uses, by id." },
    ),
    bytes: bytes("Size of those that were removed, or would be, together."),
    failures: pruneFailures("image", "ImagePruneFailure"),
  },
  { description: "The images that were removed, or would be." },
);

export const PrunedPods = Type.Object(
  {
    dryRun,
    pods: Type.Array(
      Type.Object(
        {
          id: Type.String({ description: "Id of the pod." }),
          namespace: Type.String({ description: "Its namespace." }),
          name: Type.String({ description: "Its name." }),
          createdAt: Type.String({
            format: "int64",
            description: "When it was created, in nanoseconds since the Unix epoch.",
          }),
          managed: Type.Boolean({ description: "Whether Crest created it." }),
          containers: Type.Integer({ minimum: 0, description: "How many containers go with it." }),
          reason: oneOf(["stopped"], "Why it goes: it has stopped, and no container in it runs."),
          bytes: Type.Optional(bytes("What its containers have written, where the runtime knows.")),
          removed,
        },
        { $id: "PrunedPod", description: "A pod that has stopped." },
      ),
      { description: "The pods that have stopped, oldest first." },
    ),
    bytes: bytes(
      "What the containers of those that were removed, or would be, have written, as far as known.",
    ),
    failures: pruneFailures("pod", "PodPruneFailure"),
  },
  { description: "The pods that were removed, or would be." },
);

export const ExecAnswer = Type.Object(
  {
    exitCode: Type.Integer({ format: "int32", description: "Exit code of the command." }),
    stdout: Type.String({ description: "What it wrote to its standard output, in the encoding below." }),
    stderr: Type.String({ description: "What it wrote to its standard error, in the encoding below." }),
    encoding: oneOf(["utf8", "base64"], "How the output is written."),
    lossy: Type.Boolean({
      description: "Whether bytes that are not UTF-8 were replaced: ask for base64 to have them.",
    }),
  },
  { description: "How a command ended, and what it wrote." },
);

export const Pull = Type.Object(
  {
    id: Type.String({ description: "Id of the pull." }),
    image: Type.String({ description: "Reference of the image, as the first caller wrote it." }),
    phase: oneOf(
      ["pulling", "resolving", "downloading", "unpacking", "done", "failed", "cancelled"],
      "What is being done. `pulling` if the runtime reports no more than that: CRI-O and cri-dockerd. `unpacking` once everything is downloaded. The last three are final.",
    ),
    elapsedMs: integer("Milliseconds since the start; of a pull that has ended, its duration."),
    totalBytes: Type.Optional(integer("Compressed size of all layers. Absent while it is not known.")),
    downloadedBytes: Type.Optional(integer("How much of `totalBytes` is on the node.")),
    bytesPerSecond: Type.Optional(integer("Rate of the download, over the last 10 seconds.")),
    etaMs: Type.Optional(
      integer("Milliseconds until the download ends at this rate. Absent during the first 3 seconds."),
    ),
    stalledForMs: Type.Optional(
      integer(
        "Milliseconds for which nothing was downloaded or unpacked. Absent below 3 seconds, or if it is not known.",
      ),
    ),
    layers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            digest: Type.String({ description: "Digest of the compressed layer." }),
            state: oneOf(
              ["waiting", "downloading", "downloaded", "unpacking", "done", "exists"],
              "Where it is. `downloaded`: waits to be unpacked, which happens one layer at a time. `done`: unpacked. `exists`: was on the node before.",
            ),
            sizeBytes: integer("Its compressed size."),
            downloadedBytes: integer("How much of that is on the node."),
            unpackedBytes: Type.Optional(
              integer("Bytes that its files take so far. Absent before it is unpacked."),
            ),
          },
          { $id: "PullLayer", description: "One layer of an image, and how far it has come." },
        ),
        { description: "The layers in the image's order. Absent while they are not known." },
      ),
    ),
    callers: Type.Integer({ format: "int32", description: "How many requests wait for it." }),
    detached: Type.Boolean({ description: "Whether it continues when all of them have left." }),
    startedAt: Type.String({
      format: "int64",
      description: "When it started, in nanoseconds since the Unix epoch.",
    }),
    finishedAt: Type.Optional(
      Type.String({ format: "int64", description: "When it ended, in nanoseconds since the Unix epoch." }),
    ),
    error: Type.Optional(Problem),
  },
  { $id: "Pull", description: "A pull of an image, in progress or ended." },
);

export const Pulls = Type.Object(
  { pulls: Type.Array(Pull, { description: "The newest first." }) },
  { description: "The pulls that the caller may see." },
);

/** What a pull reports as NDJSON or server-sent events. */
export const PullItem = Type.Object(
  {
    progress: Type.Optional(Pull),
    result: Type.Optional(
      Type.Object(
        { imageRef: Type.String({ description: "Id or digest of the image, as in the JSON answer." }) },
        { description: "The image that was pulled." },
      ),
    ),
    error: Type.Optional(Problem),
  },
  {
    description: "One of these: how far the pull has come or, as the last item, its result or why it failed.",
  },
);

export const LogItem = Type.Object(
  {
    cursor: Type.String({ description: "Goes on behind this line: give it as `cursor`." }),
    time: Type.Optional(
      Type.String({
        description:
          "When the line was begun: RFC 3339 in UTC with nanoseconds. Absent for a line in no known format.",
      }),
    ),
    stream: Type.Optional(oneOf(["stdout", "stderr"], "Where the container wrote it.")),
    text: Type.String({ description: "The line, without its newline." }),
    container: Type.Optional(Type.String({ description: "Name of the container; of several containers." })),
    containerId: Type.Optional(Type.String({ description: "Id of the container; of several containers." })),
    pod: Type.Optional(Type.String({ description: "Name of the pod; of several pods." })),
    namespace: Type.Optional(Type.String({ description: "Namespace of the pod; of several pods." })),
    removed: Type.Optional(
      Type.Boolean({ description: "Whether its container had been removed when reading began." }),
    ),
    level: Type.Optional(
      oneOf(["trace", "debug", "info", "warn", "error", "fatal"], "Its level, where that is recognized."),
    ),
    fields: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: "Its members, where the line is a JSON object.",
      }),
    ),
    truncated: Type.Optional(
      Type.Boolean({ description: "Whether it was cut: lines at 1 MiB, the last one at `limitBytes`." }),
    ),
    lossy: Type.Optional(
      Type.Boolean({ description: "Whether it has bytes that are not UTF-8, which became U+FFFD." }),
    ),
  },
  { $id: "LogItem", description: "A line of a log." },
);

export const LogPage = Type.Object(
  {
    lines: Type.Array(LogItem, { description: "The lines, in their order." }),
    cursor: Type.Optional(
      Type.String({
        description: "Goes on behind everything that was read. Absent while there is nothing in the log.",
      }),
    ),
    more: Type.Boolean({
      description: "Whether there are more lines that were asked for: ask again with `cursor`.",
    }),
    searchedBytes: Type.Integer({ description: "Bytes of log files that were looked at, unpacked." }),
  },
  { $id: "LogPage", description: "Lines of a log, and where to go on." },
);

/** Stream route -> its answer as JSON, where that is not the last item alone. */
export const bodies = {
  getContainerLogs: LogPage,
  getPodLogs: LogPage,
  listLogs: LogPage,
  listEvents: EventList,
} as const satisfies { readonly [Id in StreamRouteId]?: TSchema };

/** The answer of each custom route, and the item of each stream route. */
export const answers = {
  getGrants: Grants,
  getCapabilities: Capabilities,
  waitContainer: WaitAnswer,
  watchContainerStats: LiveUsages,
  watchOneContainerStats: LiveUsage,
  watchPodStats: LiveUsages,
  watchOnePodStats: LiveUsage,
  getContainerLogs: LogItem,
  getPodLogs: LogItem,
  listLogs: LogItem,
  listEvents: EventItem,
  removeImage: RemovedImage,
  pruneImages: PrunedImages,
  prunePods: PrunedPods,
  listPulls: Pulls,
  getPull: Pull,
  cancelPull: Pull,
} as const satisfies { readonly [Id in CustomRouteId | StreamRouteId]: TSchema };

/** Optional members may be undefined, which JSON leaves out. */
type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> | (object extends Pick<T, K> ? undefined : never) }
    : T;

/** The answer of a custom route's handler, or an item of a stream route's. */
export type AnswerOf<Id extends CustomRouteId | StreamRouteId> = Frozen<Static<(typeof answers)[Id]>>;
/** What the handler of a stream route answers as JSON. */
export type BodyOf<Id extends keyof typeof bodies> = Frozen<Static<(typeof bodies)[Id]>>;
export type LogItem = Frozen<Static<typeof LogItem>>;
export type LogPage = Frozen<Static<typeof LogPage>>;
export type ExecAnswer = Frozen<Static<typeof ExecAnswer>>;
export type PullItem = Frozen<Static<typeof PullItem>>;
