/** Parses request bodies: JSON and YAML. The YAML parser is loaded on first use. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { GatewayError } from "../errors.ts";

/** Bodies are configurations, for which 1 MiB is large. */
export const bodyLimitBytes = 1024 * 1024;

/** RFC 9512, and the types used before it. */
const yamlTypes = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];

/** A body that was parsed on arrival. */
export class ParsedBody {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

const loadYaml = (): Promise<typeof import("../wire/parse-yaml.ts")> => import("../wire/parse-yaml.ts");

/**
 * Accepts JSON, as bytes that the binder parses, and YAML, as a {@link ParsedBody}. Refuses other media types. Returns
 * a function that loads the YAML parser.
 */
export function registerBodies(app: FastifyInstance): () => Promise<unknown> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    request.heldBody?.resize(body.length);
    done(null, body);
  });
  app.addContentTypeParser(
    yamlTypes,
    { parseAs: "buffer" },
    async (request: FastifyRequest, body: Buffer) => {
      request.heldBody?.resize(body.length);
      const { MAX_YAML_BYTES, parseYaml } = await loadYaml();
      // As with JSON, an empty body counts as none.
      if (body.length === 0) return body;
      if (body.length > MAX_YAML_BYTES)
        throw new GatewayError(
          "body_too_large",
          `The YAML body is over ${MAX_YAML_BYTES} bytes: send it as JSON, up to ${bodyLimitBytes} bytes`,
        );
      return new ParsedBody(parseYaml(body));
    },
  );
  return loadYaml;
}
