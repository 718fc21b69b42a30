/**
 * Schemas of the gateway's own query parameters, which are not CRI fields, by route id.
 *
 * Import only types from here: loading TypeBox takes about 60 ms. `npm run generate` compiles the schemas to
 * gen/parameters.ts, and parameters.ts gives them to the routes.
 */
import { type Static, Type } from "@sinclair/typebox";

const filter = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

const podNames = Type.Object({
  name: filter("Only pods with this name."),
  namespace: filter("Only pods in this namespace."),
});

const containerNames = Type.Object({
  name: filter("Only containers with this name."),
  namespace: filter("Only containers of pods in this namespace."),
});

const stopPod = Type.Object({
  timeout: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 86_400,
    description: "Seconds between the stop signal and SIGKILL for each container. 0 kills them immediately.",
  }),
});

const execSync = Type.Object({
  encoding: Type.Union([Type.Literal("utf8"), Type.Literal("base64")], {
    default: "utf8",
    description:
      "Encoding of stdout and stderr: text, in which bytes that are not UTF-8 become U+FFFD and `lossy` is true, or base64, which is exact.",
  }),
});

const run = Type.Object({
  start: Type.Boolean({
    default: true,
    description:
      "Start the container. `false` only makes it and its pod, for a client that does something else first.",
  }),
  wait: Type.Boolean({
    default: false,
    description: "Wait until the container exits, and return its exit code and output in `result`.",
  }),
  timeout: Type.Integer({
    default: 60,
    minimum: 0,
    maximum: 3600,
    description:
      "With `wait`, the maximum wait in seconds after the start. Then `result` has `exited: false` and the output so far. The container goes on, unless `remove` is given.",
  }),
  remove: Type.Boolean({
    default: false,
    description: "With `wait`, remove the pod and its container after the wait, however it ended.",
  }),
  encoding: execSync.properties.encoding,
});

const waitContainer = Type.Object({
  timeout: Type.Integer({
    default: 60,
    minimum: 0,
    maximum: 3600,
    description: "Maximum wait in seconds, after which the response has `exited: false`.",
  }),
});

const getPostMortem = Type.Object({
  tailLines: Type.Integer({
    default: 20,
    minimum: 0,
    maximum: 1000,
    description: "Number of log lines to return, from the end of the log.",
  }),
});

const pace = {
  interval: Type.String({
    default: "2s",
    description:
      "Time between readings, `1s` to `1m`. The shortest interval of all watchers applies to everyone.",
  }),
  history: Type.String({
    default: "0",
    description:
      "Begin with past readings, up to `15m`, at most one every 5 s. There are none from times without watchers.",
  }),
};
const which = {
  name: filter("Only this name, of a pod or a container."),
  namespace: filter("Only this namespace."),
  labelSelector: Type.Optional(Type.String({ description: "Kubernetes label selector." })),
};
const watchPodStats = Type.Object({ ...pace, ...which });
const watchContainerStats = Type.Object({
  ...pace,
  ...which,
  pod: filter("Only the pod with this id, id prefix or name."),
});
const watchOnePodStats = Type.Object(pace);
const watchOneContainerStats = Type.Object(pace);
const listEvents = Type.Object({
  watch: Type.Boolean({
    default: false,
    description:
      "Keep sending new events after the snapshot. Needs NDJSON, server-sent events or a WebSocket, because a JSON response is a single document.",
  }),
  since: Type.Optional(
    Type.String({
      description:
        "Where to begin: after the event with this `id`, at a time such as `2026-11-29T07:00:00Z`, or a duration ago (`5m`, `1h30m`). Default: a snapshot of the node. The `Last-Event-ID` header takes precedence.",
    }),
  ),
  type: Type.Optional(
    Type.String({
      description:
        "Comma-separated event types, such as `container.exited`; `pod`, `container` and `image` select all of theirs.",
    }),
  ),
  namespace: Type.Optional(Type.String({ description: "Namespace of the pod." })),
  pod: Type.Optional(
    Type.String({ description: "Name or id of the pod, or at least the first four digits of its id." }),
  ),
  container: Type.Optional(
    Type.String({
      description: "Name or id of the container, or at least the first four digits of its id.",
    }),
  ),
  labelSelector: Type.Optional(
    Type.String({
      description:
        "Kubernetes label selector: `app=web,tier!=cache`. Applies to the labels of the pod, overridden by those of the container.",
    }),
  ),
});

const removeImage = Type.Object({
  dryRun: Type.Boolean({ default: false, description: "Only list the names that would be removed." }),
});

const pruned = {
  dryRun: Type.Boolean({
    default: true,
    description: "Only list what would be removed; `false` removes it.",
  }),
};

const pruneImages = Type.Object({
  ...pruned,
  untagged: Type.Boolean({
    default: false,
    description: "Only images without a tag, such as those whose tag has moved to a newer image.",
  }),
});

const prunePods = Type.Object({
  ...pruned,
  olderThan: Type.Optional(
    Type.String({ description: "Only pods that were created longer ago than this: `30m`, `1.5h`, `7d`." }),
  ),
  labelSelector: Type.Optional(
    Type.String({ description: "Kubernetes label selector: `app=web,tier!=db`." }),
  ),
  namespace: Type.Optional(Type.String({ description: "Only this namespace." })),
  unmanaged: Type.Boolean({
    default: false,
    description: "Include pods that Crest did not create. Needs the grant `unmanaged`.",
  }),
});

const pullImage = Type.Object({
  detach: Type.Boolean({
    default: false,
    description:
      "Continue the pull after all its clients have disconnected. Otherwise it is cancelled when the last one disconnects.",
  }),
});

const forwardPorts = Type.Object({
  raw: Type.Boolean({
    default: false,
    description: "Send the bytes of a single port, without channel numbers.",
  }),
});

/** Of exec and attach. */
const command = Type.Object({
  session: Type.Union([Type.Literal("end"), Type.Literal("keep")], {
    default: "end",
    description:
      "What happens when the connection is lost: the session ends, or it is kept for `--session-linger`, so that [resumeSession](/docs#resumeSession) goes on with it.",
  }),
});
const resumeSession = Type.Object({
  from: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 9_007_199_254_740_991,
    description:
      "Position of the output to go on with: how many bytes of stdout and stderr together have arrived. 0 begins with the oldest output that is kept.",
  }),
});

const oneWord = <const Words extends readonly [string, string, ...string[]]>(
  words: Words,
  description: string,
) =>
  Type.Optional(
    Type.Union(
      words.map((word) => Type.Literal(word as Words[number])),
      { description },
    ),
  );
const time = (description: string) => Type.Optional(Type.String({ description }));
const flag = (description: string) => Type.Boolean({ default: false, description });

/** Of all operations that read logs. */
const logs = {
  follow: flag("Keep sending new lines until the containers exit."),
  tailLines: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2_147_483_647,
      description: "Only the last matching lines, across all logs.",
    }),
  ),
  limitBytes: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 9_007_199_254_740_991,
      description: "Maximum bytes of text, including newlines. The last line may be cut.",
    }),
  ),
  since: time("Only lines from this time on: RFC 3339, or a duration ago such as `5m` or `1h30m`."),
  until: time("Only lines up to this time, in the format of `since`."),
  sinceTime: time("Kubernetes' name for `since` with a time."),
  sinceSeconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 3_155_760_000,
      description: "Kubernetes' name for `since` with a number of seconds.",
    }),
  ),
  stream: oneWord(["stdout", "stderr"], "Only lines from this stream."),
  timestamps: flag("Begin each line of plain text with its time."),
  prefix: flag("Begin each line of plain text with its pod and container: `[pod/NAME/CONTAINER]`."),
  grep: Type.Optional(Type.String({ description: "Only lines that contain this text." })),
  regex: Type.Optional(
    Type.String({ description: "Only lines that match this regular expression, in RE2 syntax." }),
  ),
  before: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 100,
    description: "Number of lines to include before each match.",
  }),
  after: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 100,
    description: "Number of lines to include after each match.",
  }),
  level: oneWord(
    ["trace", "debug", "info", "warn", "error", "fatal"],
    "Minimum level. Lines without a recognized level are left out.",
  ),
  cursor: Type.Optional(
    Type.String({
      description:
        "Resume after the line with this cursor; `tailLines` is then ignored. The `Last-Event-ID` header does the same and takes precedence.",
    }),
  ),
  download: flag(
    "Respond with a file, gzip-compressed if `Accept-Encoding` allows it. Cannot be combined with `follow`.",
  ),
};

const getContainerLogs = Type.Object({
  ...logs,
  previous: flag("Read the log of the previous attempt of this container."),
});
const getPodLogs = Type.Object(logs);
const listLogs = Type.Object({
  ...logs,
  labelSelector: Type.Optional(
    Type.String({
      description:
        "Kubernetes label selector. Applies to the labels of the pod, overridden by those of the container.",
    }),
  ),
  namespace: Type.Optional(Type.String({ description: "Only pods in this namespace." })),
  pod: Type.Optional(
    Type.String({
      description: "Only pods with this name, or the pod with this id or id prefix.",
    }),
  ),
  container: filter("Only containers with this name."),
});

/** For every operation with a body: how to treat fields that the message does not have. */
const withBody = Type.Object({
  fieldValidation: Type.Optional(
    Type.Union([Type.Literal("Strict"), Type.Literal("Warn"), Type.Literal("Ignore")], {
      description:
        "How to handle unknown fields in the body, as in the Kubernetes API. `Strict` refuses the request, `Warn` drops them and names each in a `Warning` header, `Ignore` drops them silently. Default: `Strict`, or `Warn` for crictl's files, which have at least one name in snake_case and none in lowerCamelCase.",
    }),
  ),
});

export const parameterSchemas = {
  listPods: podNames,
  listPodStats: podNames,
  listContainers: containerNames,
  listContainerStats: containerNames,
  stopPod,
  execSync,
  run,
  waitContainer,
  getPostMortem,
  watchPodStats,
  watchContainerStats,
  watchOnePodStats,
  watchOneContainerStats,
  listEvents,
  removeImage,
  pruneImages,
  prunePods,
  pullImage,
  forwardPorts,
  execContainer: command,
  attachContainer: command,
  resumeSession,
  getContainerLogs,
  getPodLogs,
  listLogs,
  withBody,
} as const;

/** The values that the binder reads, by route id. */
export type ParametersOf<Id extends keyof typeof parameterSchemas> = Readonly<
  Static<(typeof parameterSchemas)[Id]>
>;
