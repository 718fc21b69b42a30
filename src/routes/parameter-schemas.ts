/**
 * Schemas of the gateway's own query parameters, which are not CRI fields, by route id.
 *
 * Import only types from here: loading TypeBox takes about 60 ms. `npm run generate` compiles the schemas to
 * gen/parameters.ts, and parameters.ts gives them to the routes.
 */
import { type Static, Type } from "@sinclair/typebox";

const stopPod = Type.Object({
  timeout: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 86_400,
    description:
      "Seconds that the containers get to end after their stop signal, before they are killed. 0 kills them at once.",
  }),
});

const execSync = Type.Object({
  encoding: Type.Union([Type.Literal("utf8"), Type.Literal("base64")], {
    default: "utf8",
    description:
      "How stdout and stderr are written: as text, where bytes that are not UTF-8 become U+FFFD and `lossy` is true, or exactly, as base64.",
  }),
});

const waitContainer = Type.Object({
  timeout: Type.Integer({
    default: 60,
    minimum: 0,
    maximum: 3600,
    description: "Seconds to wait at most; when they have passed the answer says `exited: false`.",
  }),
});

const pace = {
  interval: Type.String({
    default: "2s",
    description:
      "Time between two readings, from `1s` to `1m`. Who asks more often decides for all watchers.",
  }),
  history: Type.String({
    default: "0",
    description:
      "Begins with so much of the past, up to `15m`: what was read in it, at most every 5 s. Nothing is read while nobody watches.",
  }),
};
const which = {
  namespace: Type.Optional(Type.String({ description: "Only those of this namespace." })),
  labelSelector: Type.Optional(
    Type.String({ description: "Only those whose labels match, in Kubernetes' syntax." }),
  ),
};
const watchPodStats = Type.Object({ ...pace, ...which });
const watchContainerStats = Type.Object({
  ...pace,
  ...which,
  pod: Type.Optional(Type.String({ description: "Only those of the pod with this id." })),
});
const watchOnePodStats = Type.Object(pace);
const watchOneContainerStats = Type.Object(pace);
const listEvents = Type.Object({
  watch: Type.Boolean({
    default: false,
    description:
      "Go on with events as they happen, after what is known. Not with JSON, which is a single answer: ask for NDJSON or server-sent events, or open a WebSocket.",
  }),
  since: Type.Optional(
    Type.String({
      description:
        "Where to begin: behind the event with this `id`, at a time such as `2026-11-29T07:00:00Z`, or so long ago (`5m`, `1h30m`). Without it, what is on the node now comes first. The header `Last-Event-ID` has precedence.",
    }),
  ),
  type: Type.Optional(
    Type.String({
      description:
        "Types of events, separated by commas: `container.exited`, or `pod`, `container` and `image` for all of theirs.",
    }),
  ),
  namespace: Type.Optional(Type.String({ description: "Namespace of the pod." })),
  pod: Type.Optional(
    Type.String({ description: "Name of the pod, its id, or at least four digits that its id begins with." }),
  ),
  container: Type.Optional(
    Type.String({
      description: "Name of the container, its id, or at least four digits that its id begins with.",
    }),
  ),
  labelSelector: Type.Optional(
    Type.String({
      description:
        "Labels that must match, in Kubernetes' syntax: `app=web,tier!=cache`. They are those of the pod, and those of the container over them.",
    }),
  ),
});

const removeImage = Type.Object({
  dryRun: Type.Boolean({ default: false, description: "Only say which names would go." }),
});

const pruned = {
  dryRun: Type.Boolean({
    default: true,
    description: "Only say what would go. `false` removes it.",
  }),
};

const pruneImages = Type.Object({
  ...pruned,
  untagged: Type.Boolean({
    default: false,
    description: "Only images without a tag, such as those that a newer image has taken the tag of.",
  }),
});

const prunePods = Type.Object({
  ...pruned,
  olderThan: Type.Optional(
    Type.String({ description: "Only pods that were created so long ago: `30m`, `1.5h`, `7d`." }),
  ),
  labelSelector: Type.Optional(
    Type.String({ description: "Only pods with these labels, in Kubernetes' syntax: `app=web,tier!=db`." }),
  ),
  namespace: Type.Optional(Type.String({ description: "Only pods of this namespace." })),
  unmanaged: Type.Boolean({
    default: false,
    description: "Also pods that Crest did not create. Needs the grant `unmanaged`.",
  }),
});

const pullImage = Type.Object({
  detach: Type.Boolean({
    default: false,
    description:
      "Whether the pull continues when all who wait for it have left. Otherwise it is cancelled when the last one leaves.",
  }),
});

const forwardPorts = Type.Object({
  raw: Type.Boolean({
    default: false,
    description: "With one port: messages are its bytes, without a channel before them.",
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
  follow: flag("Whether to go on with lines as they are written, until the containers have ended."),
  tailLines: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 2_147_483_647,
      description: "Begin with the last of the lines that match; of several logs, the last of all of them.",
    }),
  ),
  limitBytes: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 9_007_199_254_740_991,
      description: "End after so many bytes of text, newlines included. The last line is cut there.",
    }),
  ),
  since: time("Only lines from this time on: RFC 3339, or a duration before now such as `5m` or `1h30m`."),
  until: time("Only lines up to this time, written as `since`."),
  sinceTime: time("As `since` with a time, by Kubernetes' name."),
  sinceSeconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 3_155_760_000,
      description: "As `since` with a number of seconds, by Kubernetes' name.",
    }),
  ),
  stream: oneWord(["stdout", "stderr"], "Only lines that were written there."),
  timestamps: flag("Whether each line of text begins with its time."),
  prefix: flag("Whether each line of text begins with its pod and container: `[pod/NAME/CONTAINER]`."),
  grep: Type.Optional(Type.String({ description: "Only lines that contain this text." })),
  regex: Type.Optional(
    Type.String({ description: "Only lines that this regular expression matches, in RE2's syntax." }),
  ),
  before: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 100,
    description: "How many lines to show before each that matches.",
  }),
  after: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 100,
    description: "How many lines to show after each that matches.",
  }),
  level: oneWord(
    ["trace", "debug", "info", "warn", "error", "fatal"],
    "Only lines of this level or a more severe one. Lines whose level is not recognized are left out.",
  ),
  cursor: Type.Optional(
    Type.String({
      description:
        "Go on behind the line that had this cursor. `tailLines` does not count then. The header `Last-Event-ID` does the same, and takes precedence.",
    }),
  ),
  download: flag(
    "Whether to answer a file, compressed where `Accept-Encoding` takes gzip. Not together with `follow`.",
  ),
};

const getContainerLogs = Type.Object({
  ...logs,
  previous: flag("Whether to read the log of the container's attempt before this one."),
});
const getPodLogs = Type.Object(logs);
const listLogs = Type.Object({
  ...logs,
  labelSelector: Type.Optional(
    Type.String({
      description:
        "Kubernetes' label selector. It is held against the labels of the container, and those of its pod where the container has no such label.",
    }),
  ),
  namespace: Type.Optional(Type.String({ description: "Only containers of pods in this namespace." })),
  pod: Type.Optional(
    Type.String({
      description: "Only containers of the pods with this name, or of the pod with this id or prefix of one.",
    }),
  ),
});

/** For every operation with a body: how to treat fields that the message does not have. */
const withBody = Type.Object({
  fieldValidation: Type.Optional(
    Type.Union([Type.Literal("Strict"), Type.Literal("Warn"), Type.Literal("Ignore")], {
      description:
        "What becomes of fields of the body that are not known, as in Kubernetes' API. `Strict` refuses the request, `Warn` leaves them out and names each in a `Warning` header, `Ignore` leaves them out in silence. Without it a body is taken strictly, unless it is one of crictl's files: with at least one name in snake_case and none in lowerCamelCase, for which `Warn` holds.",
    }),
  ),
});

export const parameterSchemas = {
  stopPod,
  execSync,
  waitContainer,
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
  getContainerLogs,
  getPodLogs,
  listLogs,
  withBody,
} as const;

/** The values that the binder reads, by route id. */
export type ParametersOf<Id extends keyof typeof parameterSchemas> = Readonly<
  Static<(typeof parameterSchemas)[Id]>
>;
