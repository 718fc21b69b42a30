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

export const RemovedImage = Type.Object(
  {
    id: Type.String({ description: "Id of the image." }),
    repoTags: Type.Array(Type.String(), { description: "Its names with a tag: all of them went." }),
    repoDigests: Type.Array(Type.String(), { description: "Its names with a digest: all of them went." }),
    dryRun: Type.Boolean({ description: "Whether nothing was removed." }),
  },
  { description: "An image that was removed, or would be." },
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
        { $id: "PullResult", description: "The image that was pulled." },
      ),
    ),
    error: Type.Optional(Problem),
  },
  {
    $id: "PullItem",
    description: "One of these: how far the pull has come or, as the last item, its result or why it failed.",
  },
);

/** The answer of each custom route, and the item of each stream route. */
export const answers = {
  getGrants: Grants,
  getCapabilities: Capabilities,
  waitContainer: WaitAnswer,
  removeImage: RemovedImage,
  listPulls: Pulls,
  getPull: Pull,
  cancelPull: Pull,
} as const satisfies { readonly [Id in CustomRouteId | StreamRouteId]: TSchema };

type Frozen<T> = T extends readonly (infer E)[]
  ? readonly Frozen<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/** The answer of a custom route's handler, or an item of a stream route's. */
export type AnswerOf<Id extends CustomRouteId | StreamRouteId> = Frozen<Static<(typeof answers)[Id]>>;
export type ExecAnswer = Frozen<Static<typeof ExecAnswer>>;
export type PullItem = Frozen<Static<typeof PullItem>>;
