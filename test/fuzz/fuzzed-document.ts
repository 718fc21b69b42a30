/** The documents that the fuzzer gets: what the gateway promises, and ids and bodies that reach the runtime. */
import { narrowedDocument } from "../support/narrowed-document.ts";
import type { DocumentedResponse, OpenApiDocument, Operation } from "../support/openapi-document.ts";
import { tolerantDocument } from "../support/tolerant-document.ts";

const id = "^[0-9a-f]{16,64}$";

/** Each answer takes two readings, a second apart; `/v1/stats/containers/watch` stands for all four. */
const slow: ReadonlySet<string> = new Set([
  "/v1/stats/pods/watch",
  "/v1/pods/{podSandboxId}/stats/watch",
  "/v1/containers/{containerId}/stats/watch",
]);

/** The published form, narrowed. No answer may have a status that is not listed. */
export function fuzzedDocument(published: OpenApiDocument): OpenApiDocument {
  const fuzzed = Object.entries(published.paths).filter(([path]) => !slow.has(path));
  const paths = fuzzed.map(([path, methods]) => {
    const operations = Object.entries(methods).map(
      ([method, operation]) => [method, narrowed(operation)] as const,
    );
    return [path, Object.fromEntries(operations)] as const;
  });
  const { components, ...rest } = narrowedDocument(published);
  // Without `linux` it is taken where there is `windows`: only bodies that are always refused may be narrowed.
  const { UpdateContainerResourcesBody = {} } = published.components.schemas;
  const schemas = { ...components.schemas, UpdateContainerResourcesBody };
  return { ...rest, paths: Object.fromEntries(paths), components: { ...components, schemas } };
}

/**
 * The same without what would be tried a thousand times for nothing: the pod's config is in runPod too, and
 * containerd restores no pods. A method that `/v1/pods/prune` does not have belongs to a pod with that id.
 */
export function coveredDocument(published: OpenApiDocument): OpenApiDocument {
  const { paths, components, ...rest } = fuzzedDocument(published);
  const { "/v1/pods/restore": _restore, "/v1/pods/prune": _prune, ...covered } = paths;
  const schemas = Object.entries(components.schemas).map(([component, schema]) => {
    const { sandboxConfig: _config, ...properties } = schema.properties ?? {};
    return [component, schema.properties === undefined ? schema : { ...schema, properties }] as const;
  });
  return { ...rest, paths: covered, components: { ...components, schemas: Object.fromEntries(schemas) } };
}

/** All of it, with the forms that are not published: what violates this, the gateway must refuse. */
export const tolerantFuzzedDocument = (published: OpenApiDocument): OpenApiDocument =>
  tolerantDocument(fuzzedDocument(published));

function narrowed(operation: Operation): Operation {
  const { default: _any, ...responses }: { readonly [status: string]: DocumentedResponse } =
    operation.responses;
  // The guard sets it: what a body must not have is to be refused.
  const parameters = operation.parameters
    ?.filter(({ name }) => name !== "fieldValidation")
    .map((parameter) =>
      parameter.in === "path" && parameter.name.endsWith("Id")
        ? { ...parameter, schema: { ...parameter.schema, pattern: id } }
        : parameter,
    );
  const { "application/json": json } = operation.requestBody?.content ?? {};
  return {
    ...operation,
    responses,
    ...(parameters && { parameters }),
    ...(json && { requestBody: { ...operation.requestBody, content: { "application/json": json } } }),
  };
}
