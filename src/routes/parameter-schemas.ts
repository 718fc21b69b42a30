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

const removeImage = Type.Object({
  dryRun: Type.Boolean({ default: false, description: "Only say which names would go." }),
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
  removeImage,
  pullImage,
  forwardPorts,
  withBody,
} as const;

/** The values that the binder reads, by route id. */
export type ParametersOf<Id extends keyof typeof parameterSchemas> = Readonly<
  Static<(typeof parameterSchemas)[Id]>
>;
