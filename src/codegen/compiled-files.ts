/** The schemas to compile, by the path of the generated file. */
import { join } from "node:path";
import {
  certificateSchema,
  commandSchema,
  optionsSchema,
  policySchema,
  tokenRequestSchema,
  tokenSchema,
  tokensFileSchema,
} from "../config/schema.ts";
import { parameterSchemas } from "../routes/parameter-schemas.ts";
import { RunBody } from "../routes/run-body.ts";
import type { CompiledFile } from "./compile-schemas.ts";

export const compiledFiles: { readonly [path: string]: CompiledFile } = {
  [join("src", "config", "gen", "settings.ts")]: {
    source: "src/config/schema.ts",
    head: 'import type { Shape } from "../annotations.ts";\n\n',
    type: "Shape",
    schemas: {
      options: optionsSchema,
      command: commandSchema,
      policy: policySchema,
      tokensFile: tokensFileSchema,
      token: tokenSchema,
      certificate: certificateSchema,
      tokenRequest: tokenRequestSchema,
    },
  },
  [join("src", "routes", "gen", "parameters.ts")]: {
    source: "src/routes/parameter-schemas.ts",
    schemas: parameterSchemas,
  },
  [join("src", "routes", "gen", "bodies.ts")]: {
    source: "src/routes/run-body.ts",
    schemas: { run: RunBody },
    withoutChecks: true,
  },
};
