/**
 * Schema of the body of `run`.
 *
 * Import only types from here: loading TypeBox takes about 60 ms. `npm run generate` compiles the schema to
 * gen/bodies.ts, which the gateway checks bodies with.
 */
import { type Static, Type } from "@sinclair/typebox";

/** A message of CRI, which the encoder checks. */
const message = (name: string, description: string) =>
  Type.Unsafe<{ readonly [field: string]: unknown }>({ type: "object", "x-cri-message": name, description });

/** The same, without the fields that must be given otherwise. */
const partOf = (name: string, description: string) =>
  Type.Unsafe<{ readonly [field: string]: unknown }>({ type: "object", "x-cri-part": name, description });

const texts = (description: string) =>
  Type.Unsafe<{ readonly [name: string]: string }>({
    type: "object",
    additionalProperties: { type: "string" },
    description,
  });

export const pullPolicies = ["missing", "always", "never"] as const;

export const RunBody = Type.Object(
  {
    image: Type.String({
      minLength: 1,
      description:
        "Reference of the image, such as `docker.io/library/nginx:1.27`, or the id of one on the node.",
    }),
    command: Type.Optional(
      Type.Array(Type.String(), {
        description:
          "The program, in place of the image's entrypoint. The image's default arguments are then not used. No shell reads it.",
      }),
    ),
    args: Type.Optional(
      Type.Array(Type.String(), {
        description:
          "Arguments of the program, in place of the image's default ones (`CMD`). Without `command`, the image's entrypoint gets them, as with `docker run IMAGE ARGS`.",
      }),
    ),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          "Name of the pod and of its container. Default: one that begins like the image. No ready pod that Crest created may have it in this namespace.",
      }),
    ),
    namespace: Type.Optional(
      Type.String({ minLength: 1, description: "Namespace of the pod. Default: `default`." }),
    ),
    env: Type.Optional(texts("Environment variables, besides those of the image.")),
    labels: Type.Optional(texts("Labels of the pod and the container.")),
    annotations: Type.Optional(texts("Annotations of the pod.")),
    workingDir: Type.Optional(
      Type.String({
        minLength: 1,
        description: "Folder in which the program starts. Default: that of the image.",
      }),
    ),
    user: Type.Optional(
      Type.String({
        pattern: "^[^:]+(:[0-9]{1,10})?$",
        description:
          "Who runs the program: an id or a name from the image's `/etc/passwd`, and the id of a group: `1000`, `1000:1000`, `nobody`. Default: that of the image.",
      }),
    ),
    tty: Type.Optional(Type.Boolean({ description: "Give it a terminal. Default: false." })),
    stdin: Type.Optional(
      Type.Boolean({ description: "Keep its standard input open, for attaching to it. Default: false." }),
    ),
    pull: Type.Optional(
      Type.Unsafe<(typeof pullPolicies)[number]>({
        type: "string",
        enum: [...pullPolicies],
        description:
          "Pull the image if it is `missing` (the default), `always`, or `never`. Needs the grant `pull`, except with `never`.",
      }),
    ),
    auth: Type.Optional(message("AuthConfig", "Credentials for the registry.")),
    mounts: Type.Optional(
      Type.Array(message("Mount", "A mount."), {
        description: "Folders and files of the node, and images, that the container sees.",
      }),
    ),
    ports: Type.Optional(
      Type.Array(message("PortMapping", "A port."), {
        description: "Ports of the node that lead to the pod.",
      }),
    ),
    memory: Type.Optional(
      Type.String({
        pattern: "^[1-9][0-9]{0,15}([KMGT]iB?)?$",
        description: "The most memory that it may use: in bytes, or as `256Mi` or `1Gi`. Default: no limit.",
      }),
    ),
    cpus: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 10000,
        description: "How many CPUs it may use, such as `0.5`. Default: no limit.",
      }),
    ),
    hostNetwork: Type.Optional(
      Type.Boolean({ description: "Use the node's network in place of one of its own. Default: false." }),
    ),
    runtimeHandler: Type.Optional(
      Type.String({ description: "The runtime handler of the pod. Default: the runtime's default one." }),
    ),
    pod: Type.Optional(
      partOf(
        "PodSandboxConfig",
        "More of the pod's config, as for `runPod`. What a member of the body sets must not be set here as well.",
      ),
    ),
    container: Type.Optional(
      partOf(
        "ContainerConfig",
        "More of the container's config, as for `createContainer`. What a member of the body sets must not be set here as well.",
      ),
    ),
  },
  { $id: "RunBody", description: "What to run.", additionalProperties: false },
);

export type RunBody = Static<typeof RunBody>;
