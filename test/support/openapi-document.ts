/** The published OpenAPI document, typed for tests. */
import { readFileSync } from "node:fs";
import { openApiFile } from "../../src/version.ts";

/** A JSON Schema, limited to the keywords that our document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly minLength?: number;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: { readonly [name: string]: Schema };
  readonly additionalProperties?: Schema | false;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly description?: string;
  readonly default?: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

interface Content {
  readonly [mediaType: string]: { readonly schema: Schema; readonly example?: unknown };
}

/** A header of a response, or a reference to one. */
export interface DocumentedHeader {
  readonly $ref?: string;
  readonly required?: boolean;
  readonly schema?: Schema;
  readonly example?: unknown;
}

export interface DocumentedResponse {
  readonly $ref?: string;
  readonly description?: string;
  readonly headers?: { readonly [name: string]: DocumentedHeader };
  readonly content?: Content;
  readonly "x-crest-ndjson-item"?: Schema;
  readonly "x-crest-ndjson-failure"?: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: { readonly [status: string]: DocumentedResponse };
  readonly "x-crest-media-types"?: readonly string[];
}

export interface OpenApiDocument {
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: {
    readonly headers: { readonly [name: string]: DocumentedHeader };
    readonly responses: { readonly [name: string]: DocumentedResponse };
    readonly schemas: { readonly [name: string]: Schema };
  };
}

/** Reads openapi/openapi.json. */
export function publishedDocument(): OpenApiDocument {
  return JSON.parse(readFileSync(openApiFile, "utf8")) as OpenApiDocument;
}

/** An operation with its method and path. */
export interface PlacedOperation extends Operation {
  /** In upper case. */
  readonly method: string;
  readonly path: string;
}

export function operationsOf({ paths }: OpenApiDocument): readonly PlacedOperation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      ...{ method: method.toUpperCase(), path },
    })),
  );
}

const prefix = "#/components/schemas/";

/** The name of the component that a schema refers to. */
export const componentOf = ({ $ref }: Schema): string | undefined => $ref?.slice(prefix.length);

/** Resolves the reference of a schema, if it has one. @throws if the component does not exist. */
export function resolved(document: OpenApiDocument, schema: Schema): Schema {
  const name = componentOf(schema);
  if (name === undefined) return schema;
  const component = document.components.schemas[name];
  if (component === undefined) throw new Error(`Cannot find the component: ${name}`);
  return component;
}

/** The schema of an operation's body. */
export const bodySchemaOf = ({ requestBody }: Operation): Schema | undefined =>
  requestBody?.content["application/json"]?.schema;

/** The names of the components used in request bodies. Default: of all operations. */
export function inputComponents(
  document: OpenApiDocument,
  operations: readonly PlacedOperation[] = operationsOf(document),
): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (schema: Schema): void => {
    const name = componentOf(schema);
    if (name !== undefined && !found.has(name)) {
      found.add(name);
      visit(resolved(document, schema));
    }
    const { items, additionalProperties, properties = {} } = schema;
    for (const inside of [items, additionalProperties || undefined, ...Object.values(properties)]) {
      if (inside !== undefined) visit(inside);
    }
  };
  for (const operation of operations) {
    const body = bodySchemaOf(operation);
    if (body !== undefined) visit(body);
  }
  return found;
}
