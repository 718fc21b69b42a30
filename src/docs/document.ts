/** The parts of the OpenAPI document that the pages use. */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly format?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly deprecated?: boolean;
}

export interface Media {
  readonly schema?: Schema;
  readonly example?: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Header {
  readonly $ref?: string;
  readonly description?: string;
  readonly schema?: Schema;
}

export interface Response {
  readonly $ref?: string;
  readonly description?: string;
  readonly headers?: { readonly [name: string]: Header };
  readonly content?: { readonly [mediaType: string]: Media };
  /** The schema of each line if the response is NDJSON. */
  readonly "x-crest-ndjson-item"?: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly [mediaType: string]: Media } };
  readonly responses: { readonly [status: string]: Response };
  readonly "x-cri-rpc"?: string | readonly string[];
  readonly "x-crest-grant"?: string;
  /** In what it can answer, if there is a choice. The first is used without an `Accept` header. */
  readonly "x-crest-media-types"?: readonly string[];
  /** Names for it in other tools. */
  readonly "x-crest-synonyms"?: readonly string[];
}

export interface ApiDocument {
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly summary?: string;
    readonly description?: string;
  };
  readonly servers?: readonly { readonly url: string }[];
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: {
    readonly schemas: { readonly [name: string]: Schema };
    readonly responses?: { readonly [name: string]: Response };
    readonly headers?: { readonly [name: string]: Header };
  };
}

/** An operation with its method and path. */
export interface Route {
  /** In upper case: `GET`. */
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
  /** Whether it is a WebSocket, that is, responds with 101. */
  readonly isSession: boolean;
}

/** All operations, in document order. */
export function routesOf({ paths }: ApiDocument): readonly Route[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, operation },
      isSession: "101" in operation.responses,
    })),
  );
}

/** The name of the referenced component: `#/components/schemas/Mount` -> `Mount`. */
export function componentOf({ $ref }: { readonly $ref?: string }): string | undefined {
  return $ref?.slice($ref.lastIndexOf("/") + 1);
}

/** Returns the schema, following a reference to its component. */
export function resolve(document: ApiDocument, schema: Schema): Schema {
  const name = componentOf(schema);
  return name === undefined ? schema : (document.components.schemas[name] ?? {});
}

/** The names of all components in request bodies, at any depth. */
export function sentComponents(document: ApiDocument): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const name = componentOf(value as Schema);
    if (typeof name === "string") {
      if (found.has(name)) return;
      found.add(name);
      visit(document.components.schemas[name]);
    }
    for (const part of Object.values(value)) visit(part);
  };
  for (const { operation } of routesOf(document)) visit(operation.requestBody);
  return found;
}
