/**
 * Schemas of the answers that are Crest's own, not CRI's. The published document and the handlers' types derive from
 * them. A part with an `$id` becomes a component of that name. All schemas are open: a later gateway may add fields,
 * which a client generated from a closed schema would reject.
 *
 * Import only types from here, except to generate the document: TypeBox takes a tenth of a second to load.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { grantWordNames } from "../grants.ts";
import type { CustomRouteId, StreamRouteId } from "./index.ts";
import { RunBody } from "./run-body.ts";

/** One of several words. An `enum`, because client generators make a separate type of each part of an `anyOf`. */
const oneOf = <const Words extends readonly string[]>(words: Words, description: string) =>
  Type.Unsafe<Words[number]>({ type: "string", enum: words, description });

/** A whole number from 0 to 2^53. */
const integer = (description: string) => Type.Integer({ format: "int64", minimum: 0, description });

/** A list member that the runtime could not read. */
export const ListFailure = Type.Object(
  {
    id: Type.String({ description: "Id of the pod or container." }),
    code: Type.String({ description: "Stable code of the problem." }),
    detail: Type.String({ description: "The runtime's message." }),
  },
  { $id: "ListFailure", description: "A pod or container that is missing from a list, and why." },
);

export const Problem = Type.Object(
  {
    type: Type.String({
      format: "uri-reference",
      description: "Relative reference to the documentation of this code: `/docs/problems#not_found`.",
    }),
    title: Type.String({
      description: "Short summary, the same for all problems with this code.",
    }),
    status: Type.Integer({ description: "HTTP status, as in the status line." }),
    detail: Type.String({ description: "What was wrong with this request, and how to fix it." }),
    instance: Type.Optional(Type.String({ description: "Path of the request, without the query." })),
    code: Type.String({ description: "Stable code of the problem, for programs." }),
    requestId: Type.Optional(
      Type.String({
        description: "Id of this request in the gateway's log; also in the X-Request-Id header.",
      }),
    ),
    grpcCode: Type.Optional(
      Type.String({ description: "Name of the gRPC status, if the runtime returned one." }),
    ),
    retryable: Type.Boolean({ description: "Whether the same request may succeed later." }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            pointer: Type.Optional(Type.String({ description: "JSON pointer into the request body." })),
            parameter: Type.Optional(Type.String({ description: "Name of a path or query parameter." })),
            detail: Type.String({ description: "What is wrong." }),
            grant: Type.Optional(
              Type.String({
                description:
                  "For a refusal by the pod policy, the flag that permits it: `--allow-host=port:8080`.",
              }),
            ),
          },
          { $id: "ProblemError", description: "A mistake in a request, and where it is." },
        ),
        { description: "All mistakes in an invalid request." },
      ),
    ),
    grant: Type.Optional(Type.String({ description: "For a refusal, the first of the missing `grants`." })),
    grants: Type.Optional(Type.Array(Type.String(), { description: "For a refusal, all missing grants." })),
    resource: Type.Optional(
      Type.String({ description: "For a refusal, the pod or image that the missing grant is for." }),
    ),
    candidates: Type.Optional(
      Type.Array(Type.String(), {
        description: "Ids that match an ambiguous prefix or a name.",
      }),
    ),
    matches: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ description: "The full id." }),
            namespace: Type.String({ description: "Namespace of the pod." }),
            pod: Type.String({ description: "Name of the pod." }),
            container: Type.Optional(
              Type.String({ description: "Name of the container; absent for a pod." }),
            ),
            attempt: Type.Integer({ description: "How often it was created before under this name." }),
            state: Type.Optional(
              Type.String({
                description:
                  "`SANDBOX_READY`, `CONTAINER_EXITED` and the like; absent for one that was removed.",
              }),
            ),
          },
          { $id: "Match", description: "A pod or container that an id prefix or a name may mean." },
        ),
        { description: "The `candidates` with their names and states, in the same order." },
      ),
    ),
    step: Type.Optional(
      Type.String({
        description: "For `run`, the step that failed: `pull`, `pod`, `container`, `start`, `wait`.",
      }),
    ),
    podSandboxId: Type.Optional(
      Type.String({
        description:
          "The pod that has the name, a pod that a failed run left behind and that could not be removed, or one that goes on although the wait for its container failed.",
      }),
    ),
    containerId: Type.Optional(Type.String({ description: "The same for a container." })),
    limit: Type.Optional(
      Type.String({ description: "The limit that was reached: `streams`, `requestsPerSecond`." }),
    ),
    max: Type.Optional(Type.Integer({ description: "The value of `limit`." })),
    setting: Type.Optional(
      Type.String({ description: "What changes `limit`, such as a flag of the gateway." }),
    ),
    cursor: Type.Optional(
      Type.String({ description: "For a cursor whose file no longer exists: the nearest valid cursor." }),
    ),
  },
  { $id: "Problem", description: "A problem, as in RFC 9457." },
);

/** One limit of a caller. */
const limit = (description: string) => Type.Optional(Type.Integer({ description, minimum: 1 }));

export const Grants = Type.Object(
  {
    name: Type.String({ description: "Name of the caller." }),
    tokenFile: Type.Optional(
      Type.String({ description: "Path on the node of the file with the caller's token." }),
    ),
    expires: Type.Optional(
      Type.String({ description: "When the caller's token expires (RFC 3339). Absent: never." }),
    ),
    grants: Type.Array(
      Type.Object(
        {
          grant: Type.String({
            description: "Name of the grant: `exec`, `read:pods`.",
          }),
          only: Type.Optional(
            Type.Array(Type.String(), {
              description:
                "What it is limited to: scopes of pods; for `pull`, registries or repositories; for `host`, words.",
            }),
          ),
          within: Type.Optional(
            Type.Array(Type.Array(Type.String()), {
              description:
                "Where more than one of the gateway, the caller's token and those that it was made with limit the grant: the other lists. What is used must be in `only` and in each of these.",
            }),
          ),
          except: Type.Optional(
            Type.Array(Type.String(), {
              description:
                "What is denied: scopes of pods; for `pull`, registries or repositories; for `host`, words.",
            }),
          ),
        },
        { $id: "Granted", description: "Something the caller may do." },
      ),
      { description: "Everything the caller may do." },
    ),
    limits: Type.Object(
      {
        requestsPerSecond: limit("Requests a second."),
        connections: limit("Open connections."),
        sessions: limit("Open sessions."),
        streams: limit("Open streams."),
        pulls: limit("Pulls in progress that it has begun."),
        bodyBytes: limit("Bytes of request bodies that are not answered yet."),
      },
      {
        $id: "CallerLimits",
        description:
          "The most that the caller may use. An absent member is not limited for the caller alone.",
      },
    ),
  },
  { description: "What the caller may do." },
);

/** Grants by word. Requests take no others, and answers may have more one day. */
function grantRules(prefix: string, more: { readonly additionalProperties?: false }) {
  const someOf = (words: string) =>
    Type.Object(
      Object.fromEntries(
        grantWordNames.map((word) => [
          word,
          Type.Optional(
            // No choice of schemas: generated clients would make a type of each.
            Type.Unknown({
              description: `${words} of \`${word}\`: \`true\` for all of it, or a list of texts as for its flag.`,
            }),
          ),
        ]),
      ),
      {
        $id: `${prefix}${words}Rules`,
        description: `What of each grant is ${words.toLowerCase()}.`,
        ...more,
      },
    );
  return Type.Object(
    {
      all: Type.Optional(Type.Boolean({ description: "Everything that is not denied." })),
      allow: Type.Optional(someOf("Allowed")),
      deny: Type.Optional(someOf("Denied")),
    },
    {
      $id: `${prefix}GrantRules`,
      description:
        'Grants by word, as for the flags of the gateway: `{"allow": {"exec": true, "read": ["pods"]}}`.',
      ...more,
    },
  );
}

const GrantRules = grantRules("", {});

const tokenTimes = {
  created: Type.Optional(Type.String({ description: "When it was made (RFC 3339)." })),
  expires: Type.Optional(Type.String({ description: "When it expires (RFC 3339). Absent: never." })),
  parent: Type.Optional(
    Type.String({ description: "Name of the caller that made it. Absent for the operator." }),
  ),
};

export const Tokens = Type.Object(
  {
    tokens: Type.Array(
      Type.Object(
        {
          name: Type.String({ description: "Name of the caller that has it." }),
          grants: GrantRules,
          ...tokenTimes,
        },
        { $id: "TokenEntry", description: "A token, without the token itself." },
      ),
      { description: "The tokens, also expired ones, in the order in which they were made." },
    ),
  },
  { description: "Tokens that the caller made, and those that were made with them." },
);

export const MadeToken = Type.Object(
  {
    name: Type.String({ description: "Name of the caller that has it." }),
    token: Type.String({ description: "The token. It is shown only here." }),
    grants: GrantRules,
    ...tokenTimes,
  },
  { description: "A new token." },
);

export const RevokedTokens = Type.Object(
  {
    revoked: Type.Array(Type.String(), { description: "Names of the tokens that are no longer valid." }),
  },
  { description: "What was revoked." },
);

export const KeptSession = Type.Object(
  {
    id: Type.String({ description: "Id of the session." }),
    type: oneOf(["exec", "attach"], "Whether it is a command or the main process of the container."),
    containerId: Type.String({ description: "Id of the container." }),
    caller: Type.String({ description: "Name of the caller who began it." }),
    stdin: Type.Boolean({ description: "Whether it takes input." }),
    tty: Type.Boolean({ description: "Whether it has a terminal." }),
    begun: Type.String({ description: "When it began (RFC 3339)." }),
    connected: Type.Boolean({ description: "Whether a client is connected." }),
    lost: Type.Optional(
      Type.String({ description: "When the last connection ended (RFC 3339). Absent while connected." }),
    ),
    ends: Type.Optional(
      Type.String({ description: "When the session ends if no client connects. Absent while connected." }),
    ),
    exited: Type.Boolean({
      description: "Whether the command has ended. Its status is kept with the output.",
    }),
    input: integer("Position of the input: bytes of stdin so far; its end counts as one more."),
    output: integer("Position of the output: bytes of stdout and stderr so far."),
  },
  { $id: "KeptSession", description: "A session that waits for its client when the connection is lost." },
);

export const KeptSessionList = Type.Object(
  {
    sessions: Type.Array(KeptSession, { description: "The sessions, in the order in which they began." }),
  },
  { description: "The kept sessions that the caller began; for the operator, those of all callers." },
);

const signInExpiry = Type.String({
  description: "When it expires (RFC 3339), not after the caller's own token.",
});

export const MadeSignInKey = Type.Object(
  {
    key: Type.String({ description: "The key. It is good for one use." }),
    expires: signInExpiry,
  },
  { description: "A new key." },
);

export const SignedIn = Type.Object(
  {
    token: Type.String({ description: "The token. It ends with the gateway, at the latest." }),
    expires: signInExpiry,
  },
  { description: "A token of a page." },
);

/** Route -> its body, where the handler checks it. */
export const requests = {
  run: RunBody,
  createToken: Type.Object(
    {
      name: Type.String({
        description:
          "Name of the new caller, up to 63 letters, digits, dots, dashes and underscores. It must be new.",
        pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
      }),
      grants: grantRules("New", { additionalProperties: false }),
      for: Type.Optional(
        Type.String({
          description: "How long it is valid: `30m`, `1h`. Default: `1h`, or until the caller's own expires.",
        }),
      ),
      expires: Type.Optional(
        Type.String({
          description: "When it expires (RFC 3339), in place of `for`. Not after the caller's own.",
        }),
      ),
    },
    { $id: "CreateTokenBody", description: "The token to make.", additionalProperties: false },
  ),
} as const;

export const Capabilities = Type.Object(
  {
    runtimeName: Type.String({ description: "Name of the runtime, as reported by itself." }),
    runtimeVersion: Type.String({ description: "Version of the runtime, as reported by itself." }),
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
          code: Type.String({ description: "Stable code of the quirk." }),
          description: Type.String({ description: "What the runtime does, and how Crest handles it." }),
        },
        { $id: "Quirk", description: "A way in which the runtime differs from others." },
      ),
      { description: "How this version of the runtime differs from others." },
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
      description: "Whether the container has exited; false if the timeout expired first.",
    }),
    state,
    exitCode: Type.Optional(
      Type.Integer({ format: "int32", description: "Exit code of its main process, once it has exited." }),
    ),
    reason: Type.Optional(
      Type.String({
        description: "Why it exited, as the runtime puts it: `Completed`, `Error`, `OOMKilled`.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "The runtime's message about the exit." })),
    finishedAt: Type.Optional(
      Type.String({ format: "int64", description: "When it exited, in nanoseconds since the Unix epoch." }),
    ),
  },
  { description: "How a container exited, or that it has not." },
);

/** Null rather than absent: a sparkline has a gap there. */
const figure = (description: string) => Type.Unsafe<number | null>({ type: ["number", "null"], description });

export const LiveUsage = Type.Object(
  {
    time: Type.String({ description: "Time of the reading (RFC 3339)." }),
    id: Type.String({ description: "Id of the pod or container." }),
    name: Type.String({ description: "Name of the pod or container." }),
    namespace: Type.String({ description: "Namespace of the pod." }),
    pod: Type.Optional(Type.String({ description: "Name of the container's pod." })),
    podSandboxId: Type.Optional(Type.String({ description: "Id of the container's pod." })),
    cores: figure("CPU cores used since the previous reading; null in the first."),
    coresLimit: figure("CPU limit in cores; null without a limit."),
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
      "Resource usage of a pod or container. Unknown values are null: rates in the first reading and after a restart, and values that this runtime does not report.",
  },
);

export const LiveUsages = Type.Object(
  {
    time: Type.String({ description: "Time of the readings (RFC 3339)." }),
    items: Type.Array(LiveUsage, {
      description: "All pods or containers. Those missing from the next item have ended.",
    }),
  },
  { $id: "LiveUsages", description: "Resource usage of pods or containers at one time." },
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
    time: Type.String({ description: "When it happened (RFC 3339, UTC)." }),
    id: Type.Optional(
      Type.String({
        description:
          "Position in the sequence, `BOOT.SEQ`. Pass it as `since` or `Last-Event-ID` to continue after this event. Absent in a snapshot.",
      }),
    ),
    snapshot: Type.Optional(
      Type.Boolean({ description: "Whether this is part of a snapshot rather than a new event." }),
    ),
    namespace: Type.Optional(Type.String({ description: "Namespace of the pod." })),
    pod: Type.Optional(Type.String({ description: "Name of the pod, or of the container's pod." })),
    podSandboxId: Type.Optional(Type.String({ description: "Id of the pod, or of the container's pod." })),
    container: Type.Optional(Type.String({ description: "Name of the container." })),
    containerId: Type.Optional(Type.String({ description: "Id of the container." })),
    attempt: Type.Optional(
      Type.Integer({
        format: "int32",
        description: "Attempt number of the container, from its metadata.",
      }),
    ),
    image: Type.Optional(
      Type.String({ description: "Image of the container; for image events, the first name of the image." }),
    ),
    imageId: Type.Optional(Type.String({ description: "Id of the image." })),
    repoTags: Type.Optional(Type.Array(Type.String(), { description: "Names of the image with a tag." })),
    repoDigests: Type.Optional(
      Type.Array(Type.String(), { description: "Names of the image with a digest." }),
    ),
    labels: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description: "Labels of the pod, overridden by those of the container.",
      }),
    ),
    exitCode: Type.Optional(
      Type.Integer({
        format: "int32",
        description: "Exit code of the container's main process, or of an exec command.",
      }),
    ),
    signal: Type.Optional(
      Type.String({ description: "Signal that the exit code means: `SIGKILL` for 137." }),
    ),
    reason: Type.Optional(
      Type.String({
        description: "Why it exited: `Completed`, `Error`, `OOMKilled`, or another reason from the runtime.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "The runtime's message about the exit." })),
    oom: Type.Optional(
      Type.Boolean({
        description: "Whether the kernel killed a process of the container because of the memory limit.",
      }),
    ),
    execId: Type.Optional(
      Type.String({
        description: "The exec command that started in the container, or exited if there is an exit code.",
      }),
    ),
    amends: Type.Optional(
      Type.String({
        description: "Id of the earlier event that this one replaces with more details.",
      }),
    ),
    gap: Type.Optional(Type.Integer({ description: "Number of events that the reader missed." })),
  },
  { $id: "EventItem", description: "An event on the node, or the state of the stream." },
);

export const EventList = Type.Object(
  {
    items: Type.Array(EventItem, {
      description: "The state of the node or the events since, in order.",
    }),
    lastEventId: Type.String({ description: "Pass it as `since` to continue after this response." }),
  },
  { $id: "EventList", description: "The state of the node, or the events on it." },
);

export const RemovedImage = Type.Object(
  {
    id: Type.String({ description: "Id of the image." }),
    repoTags: Type.Array(Type.String(), { description: "Its names with a tag; all were removed." }),
    repoDigests: Type.Array(Type.String(), { description: "Its names with a digest; all were removed." }),
    dryRun: Type.Boolean({ description: "Whether nothing was removed." }),
  },
  { description: "An image that was, or would be, removed." },
);

const bytes = (description: string) => Type.Integer({ format: "int64", minimum: 0, description });

const pruneFailures = (what: string, name: string) =>
  Type.Array(
    Type.Object(
      {
        id: Type.String({ description: `Id of the ${what}.` }),
        code: Type.String({ description: "Stable code of the problem." }),
        detail: Type.String({ description: "What went wrong." }),
      },
      { $id: name, description: `A ${what} that could not be removed, and why.` },
    ),
    { description: "What could not be removed. Everything else was removed." },
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
        { $id: "PrunedImage", description: "An unused image." },
      ),
      { description: "The unused images, by id." },
    ),
    bytes: bytes("Total size of the images that were, or would be, removed."),
    failures: pruneFailures("image", "ImagePruneFailure"),
  },
  { description: "The images that were, or would be, removed." },
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
          containers: Type.Integer({
            minimum: 0,
            description: "Number of containers that are removed with it.",
          }),
          reason: oneOf(
            ["stopped"],
            "Why it is removed: it has stopped, and none of its containers is running.",
          ),
          bytes: Type.Optional(bytes("Bytes that its containers have written, if the runtime reports them.")),
          removed,
        },
        { $id: "PrunedPod", description: "A stopped pod." },
      ),
      { description: "The stopped pods, oldest first." },
    ),
    bytes: bytes(
      "What the containers of those that were removed, or would be, have written, as far as known.",
    ),
    failures: pruneFailures("pod", "PodPruneFailure"),
  },
  { description: "The pods that were, or would be, removed." },
);

export const ExecAnswer = Type.Object(
  {
    exitCode: Type.Integer({ format: "int32", description: "Exit code of the command." }),
    stdout: Type.String({ description: "Standard output, in the given encoding." }),
    stderr: Type.String({ description: "Standard error, in the given encoding." }),
    encoding: oneOf(["utf8", "base64"], "Encoding of the output."),
    lossy: Type.Boolean({
      description: "Whether bytes that are not UTF-8 were replaced; use base64 to receive them.",
    }),
  },
  { description: "Exit code and output of a command." },
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
          { $id: "PullLayer", description: "A layer of an image, and its progress." },
        ),
        { description: "The layers, in the image's order. Absent until they are known." },
      ),
    ),
    callers: Type.Integer({ format: "int32", description: "Number of requests that wait for it." }),
    detached: Type.Boolean({ description: "Whether it continues after all clients have disconnected." }),
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
  { pulls: Type.Array(Pull, { description: "Pulls, newest first." }) },
  { description: "The pulls that are visible to the caller." },
);

/** What a pull reports as NDJSON or server-sent events. */
export const PullItem = Type.Object(
  {
    progress: Type.Optional(Pull),
    result: Type.Optional(
      Type.Object(
        { imageRef: Type.String({ description: "Id or digest of the image, as in the JSON response." }) },
        { description: "The pulled image." },
      ),
    ),
    error: Type.Optional(Problem),
  },
  {
    description: "The progress of the pull or, as the last item, its result or problem.",
  },
);

export const RunAnswer = Type.Object(
  {
    podSandboxId: Type.String({ description: "Id of the pod." }),
    containerId: Type.String({ description: "Id of the container." }),
    namespace: Type.String({ description: "Namespace of the pod." }),
    name: Type.String({ description: "Name of the pod." }),
    pulled: Type.Boolean({
      description: "Whether the image was pulled. It stays on the node, whatever becomes of the container.",
    }),
    started: Type.Boolean({ description: "Whether the container was started: false with `start=false`." }),
    result: Type.Optional(
      Type.Object(
        {
          exited: Type.Boolean({ description: "Whether it exited before the `timeout`." }),
          state: Type.String({ description: "State of the container: `CONTAINER_EXITED`." }),
          exitCode: Type.Optional(Type.Integer({ format: "int32", description: "Exit code, if it exited." })),
          reason: Type.Optional(Type.String({ description: "Why it exited: `Completed`, `OOMKilled`." })),
          finishedAt: Type.Optional(
            Type.String({
              format: "int64",
              description: "When it exited, in nanoseconds since the Unix epoch.",
            }),
          ),
          stdout: Type.String({ description: "Standard output, in the given encoding." }),
          stderr: Type.String({ description: "Standard error, in the given encoding." }),
          encoding: oneOf(["utf8", "base64"], "Encoding of the output."),
          lossy: Type.Boolean({
            description: "Whether bytes that are not UTF-8 were replaced; use base64 to receive them.",
          }),
          truncated: Type.Boolean({
            description:
              "Whether there was more output than 4 MiB, or a line of more than 1 MiB. The first 4 MiB are here; the log has the rest.",
          }),
          outputProblem: Type.Optional(
            Type.String({ description: "Why the output could not be read, if it could not." }),
          ),
        },
        { $id: "RunResult", description: "How the container ended, and what it wrote. Only with `wait`." },
      ),
    ),
    removed: Type.Optional(
      Type.Boolean({ description: "Whether the pod and its container were removed. Only with `remove`." }),
    ),
    removalProblem: Type.Optional(
      Type.String({ description: "Why they could not be removed, if they could not." }),
    ),
  },
  { $id: "RunAnswer", description: "What was made." },
);

/** What a run reports as NDJSON or server-sent events. */
export const RunItem = Type.Object(
  {
    progress: Type.Optional(Pull),
    result: Type.Optional(RunAnswer),
    error: Type.Optional(Problem),
  },
  { description: "The progress of the pull or, as the last item, what was made, or the problem." },
);

export const LogItem = Type.Object(
  {
    cursor: Type.String({ description: "Pass it as `cursor` to resume after this line." }),
    time: Type.Optional(
      Type.String({
        description:
          "Time of the beginning of the line (RFC 3339, UTC, nanoseconds). Absent if the line has no known format.",
      }),
    ),
    stream: Type.Optional(oneOf(["stdout", "stderr"], "Where the container wrote it.")),
    text: Type.String({ description: "The line, without its newline." }),
    container: Type.Optional(Type.String({ description: "Name of the container, when reading several." })),
    containerId: Type.Optional(Type.String({ description: "Id of the container, when reading several." })),
    pod: Type.Optional(Type.String({ description: "Name of the pod, when reading several." })),
    namespace: Type.Optional(Type.String({ description: "Namespace of the pod, when reading several." })),
    removed: Type.Optional(
      Type.Boolean({ description: "Whether its container had been removed when reading began." }),
    ),
    level: Type.Optional(
      oneOf(["trace", "debug", "info", "warn", "error", "fatal"], "Level, if it is recognized."),
    ),
    fields: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: "Members of the line, if it is a JSON object.",
      }),
    ),
    truncated: Type.Optional(
      Type.Boolean({ description: "Whether the line was cut, at 1 MiB or at `limitBytes`." }),
    ),
    lossy: Type.Optional(
      Type.Boolean({ description: "Whether bytes that are not UTF-8 were replaced by U+FFFD." }),
    ),
    base64: Type.Optional(
      Type.String({
        description:
          "With `lossy`: the bytes of the line, without its newline. Absent if `limitBytes` cut the line.",
      }),
    ),
  },
  { $id: "LogItem", description: "A line of a log." },
);

export const LogPage = Type.Object(
  {
    lines: Type.Array(LogItem, { description: "The lines, in order." }),
    cursor: Type.Optional(
      Type.String({
        description: "Resumes after everything that was read. Absent if the log is empty.",
      }),
    ),
    more: Type.Boolean({
      description: "Whether there are more lines; request them with `cursor`.",
    }),
    searchedBytes: Type.Integer({ description: "Bytes of log files that were searched, uncompressed." }),
  },
  { $id: "LogPage", description: "Lines of a log, and a cursor to continue." },
);

/** A time as CRI writes it. */
const nanoseconds = (description: string) =>
  Type.Optional(
    Type.String({ format: "int64", description: `${description}, in nanoseconds since the Unix epoch.` }),
  );

const life = {
  createdAt: nanoseconds("When it was created"),
  startedAt: nanoseconds("When it started"),
  finishedAt: nanoseconds("When it exited"),
  runTimeMs: Type.Optional(integer("Milliseconds from start to exit, or until now.")),
};

const Exit = Type.Object(
  {
    exitCode: Type.Integer({ format: "int32", description: "Exit code of its main process." }),
    signal: Type.Optional(
      Type.String({ description: "Signal that the exit code means: `SIGKILL` for 137." }),
    ),
    reason: Type.Optional(
      Type.String({
        description: "The runtime's reason: `Completed`, `Error`, `OOMKilled`, `StartError`.",
      }),
    ),
    message: Type.Optional(Type.String({ description: "The runtime's message about the exit." })),
  },
  { $id: "ContainerExit", description: "How a container exited." },
);

const PostMortemPod = Type.Object(
  {
    id: Type.String({ description: "Id of the pod." }),
    name: Type.String({ description: "Name of the pod." }),
    namespace: Type.String({ description: "Namespace of the pod." }),
    state: Type.String({ description: "State of the pod: `SANDBOX_READY`, `SANDBOX_NOTREADY`." }),
    createdAt: nanoseconds("When it was created"),
    containers: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ description: "Id of the container." }),
            name: Type.String({ description: "Name of the container." }),
            attempt: Type.Integer({ format: "int32", description: "Attempt number of the container." }),
            state,
          },
          { $id: "PostMortemSibling", description: "A container of the pod." },
        ),
        { description: "All containers of the pod, newest first." },
      ),
    ),
  },
  { $id: "PostMortemPod", description: "The pod of the container, and its state." },
);

export const PostMortem = Type.Object(
  {
    time: Type.String({ description: "When this was collected (RFC 3339)." }),
    id: Type.String({ description: "Id of the container." }),
    name: Type.String({ description: "Name of the container." }),
    attempt: Type.Integer({ format: "int32", description: "Attempt number of the container." }),
    podSandboxId: Type.String({ description: "Id of its pod." }),
    state,
    removed: Type.Boolean({
      description: "Whether it has been removed. What is known then comes from its events.",
    }),
    cause: Type.Object(
      {
        code: oneOf(
          [
            ...(["running", "not_started", "completed", "exit_code", "signal", "oom_killed"] as const),
            ...(["stopped", "stop_timeout", "command_not_found", "start_failed", "unknown"] as const),
          ],
          "Stable code of the cause.",
        ),
        text: Type.String({ description: "The cause in one sentence." }),
      },
      {
        $id: "LikelyCause",
        description:
          "The probable cause, based only on the other members; `unknown` if they do not show it. The sender of a signal is known only for stops and removals through this gateway.",
      },
    ),
    exit: Type.Optional(Exit),
    ...life,
    stopRequest: Type.Optional(
      Type.Object(
        {
          time: Type.String({ description: "When the request was sent to the runtime (RFC 3339)." }),
          action: oneOf(["stop", "remove"], "The requested action."),
          subject: oneOf(["container", "pod"], "Whether the request was for this container or for its pod."),
          graceSeconds: Type.Integer({
            description: "Seconds between the stop signal and SIGKILL. 0: it was killed immediately.",
          }),
        },
        { $id: "StopRequest", description: "The request to this gateway during which it exited." },
      ),
    ),
    memory: Type.Object(
      {
        oomKilled: Type.Boolean({
          description:
            "Whether the kernel killed one of its processes, not necessarily the main one, because it ran out of memory. Known from the runtime's reason, its events or the kernel's counter.",
        }),
        limitBytes: Type.Optional(
          bytes("Memory limit. Absent without a limit, or if the runtime does not report it."),
        ),
        peakBytes: Type.Optional(bytes("Peak memory usage, including the page cache.")),
        peakSampled: Type.Optional(
          Type.Boolean({
            description:
              "Whether the peak is the highest sample of the last 15 minutes. Otherwise it comes from the kernel, which keeps it while the container runs.",
          }),
        ),
        oomKills: Type.Optional(
          integer(
            "Number of processes that the kernel killed because it ran out of memory. Only while it runs.",
          ),
        ),
      },
      { $id: "PostMortemMemory", description: "Memory of the container." },
    ),
    image: Type.String({ description: "Image of the container." }),
    imageRef: Type.Optional(Type.String({ description: "Id or digest of the image." })),
    command: Type.Optional(
      Type.Array(Type.String(), {
        description: "Command and arguments. Needs the grant `verbose`.",
      }),
    ),
    log: Type.Optional(
      Type.Array(LogItem, {
        description:
          "The last lines of the log, oldest first: `tailLines` of them, or fewer if they exceed 1 MiB. Needs the grant `logs`.",
      }),
    ),
    attempts: Type.Optional(
      Type.Array(
        Type.Object(
          {
            id: Type.String({ description: "Id of the container." }),
            attempt: Type.Integer({ format: "int32", description: "Its attempt number." }),
            state,
            exit: Type.Optional(Exit),
            ...life,
          },
          { $id: "EarlierAttempt", description: "An earlier container of the same name in the pod." },
        ),
        { description: "The last 20 earlier attempts that have not been removed, newest first." },
      ),
    ),
    pod: Type.Optional(PostMortemPod),
    events: Type.Optional(
      Type.Array(EventItem, {
        description:
          "The last 500 events of the container that are still kept, oldest first. Needs the grant `read:events`.",
      }),
    ),
    eventsSince: Type.Optional(
      Type.String({ description: "From this time on, no event is missing (RFC 3339)." }),
    ),
    missing: Type.Array(
      Type.Object(
        {
          part: oneOf(
            ["log", "events", "pod", "attempts", "command", "memory"],
            "The absent member. `memory` is never absent, but lacks its peak.",
          ),
          reason: Type.String({ description: "Why it is absent." }),
          grant: Type.Optional(Type.String({ description: "The grant that the caller needs for it." })),
        },
        { $id: "MissingPart", description: "A part that is not available, and why." },
      ),
      { description: "The parts that are not available." },
    ),
  },
  { $id: "PostMortem", description: "What is known about how a container exited, or how it is." },
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
  listTokens: Tokens,
  createToken: MadeToken,
  revokeToken: RevokedTokens,
  run: RunAnswer,
  listSessions: KeptSessionList,
  endSession: KeptSession,
  createSignInKey: MadeSignInKey,
  signIn: SignedIn,
  waitContainer: WaitAnswer,
  getPostMortem: PostMortem,
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
export type PostMortem = Frozen<Static<typeof PostMortem>>;
export type ExecAnswer = Frozen<Static<typeof ExecAnswer>>;
export type PullItem = Frozen<Static<typeof PullItem>>;
export type RunAnswer = Frozen<Static<typeof RunAnswer>>;
export type RunItem = Frozen<Static<typeof RunItem>>;
