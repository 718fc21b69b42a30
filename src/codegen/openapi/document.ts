/** Generates the OpenAPI 3.1 document from the route table. */
import { hasPolicy } from "../../access/policy/pod-policy.ts";
import { descriptors } from "../../gen/descriptors.ts";
import { methods } from "../../gen/methods.ts";
import {
  answers,
  bodies,
  ExecAnswer,
  ListFailure,
  Problem,
  PullItem,
  RunItem,
  requests,
} from "../../routes/answers.ts";
import {
  isIdempotent,
  isSession,
  type ListRoute,
  mediaTypesOf,
  type Route,
  rpcsOf,
  type StreamRoute,
  type UnaryRoute,
} from "../../routes/define.ts";
import { type CustomRouteId, entryOf, type StreamRouteId } from "../../routes/index.ts";
import type { GatewayParam } from "../../routes/parameters.ts";
import { type Field, messageOf } from "../../wire/descriptor.ts";
import { createDescribe, type Describe, operations } from "./descriptions.ts";
import { type Example, examples } from "./examples.ts";
import { failuresOf, headerComponents, problemExamples } from "./failures.ts";
import { introduction, tagOf, tags } from "./prose.ts";
import {
  type Components,
  createComponents,
  isAlwaysThere,
  isNeeded,
  reachable,
  reference,
  type Schema,
} from "./schemas.ts";
import { synonyms } from "./synonyms.ts";

/** What generating an operation needs. */
interface Making {
  readonly components: Components;
  /** Converts one of our schemas, turning its parts into components. */
  readonly plain: (schema: object) => Schema;
  readonly describe: Describe;
}

/** The same, with the operation's example. */
interface Showing extends Making {
  readonly example: Example;
}

/** Returns the document for `routes`. The same input gives the same bytes. */
export function openApi(routes: readonly Route[], version: string): Schema {
  const describe = createDescribe(routes);
  const components = createComponents(sentBothWays(routes), demanded(routes), describe);
  // A part with an `$id` becomes a component: clients have no type name for an unnamed part.
  const parts = new Map<string, string>();
  const plain = (schema: object): Schema =>
    JSON.parse(JSON.stringify(schema), (_key, part) => {
      const message = messageFor(components, part);
      if (message !== undefined) return message;
      if (typeof part?.$id !== "string") return part;
      const { $id, ...rest } = part;
      // A part of several schemas is one component.
      const text = JSON.stringify(rest);
      if (parts.get($id) === text) return reference($id);
      parts.set($id, text);
      return components.define($id, rest);
    });
  plain(Problem);
  components.define("ExecAnswer", plain(ExecAnswer));
  plain(ListFailure);
  const paths: { [path: string]: { [method: string]: Schema } } = {};
  for (const route of routes) {
    const [method = "", path = ""] = route.http.split(" ");
    paths[path] ??= {};
    const item = paths[path];
    item[method.toLowerCase()] = operation(route, { components, plain, describe });
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Crest",
      version,
      summary: "The Kubernetes Container Runtime Interface (CRI) over REST and WebSocket",
      description: introduction,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:8585", description: "Where a gateway listens by default" }],
    security: [{ token: [] }],
    tags,
    paths,
    components: {
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description:
            "The token from the gateway's token file, a token made with `crest token create` or `createToken`, or a JSON Web Token of the configured issuer.",
        },
      },
      responses: {
        Problem: {
          description: "A problem; `code` identifies its kind.",
          headers: {
            "X-Request-Id": { $ref: "#/components/headers/X-Request-Id" },
            "Retry-After": { $ref: "#/components/headers/Retry-After" },
          },
          content: { "application/problem+json": { schema: reference("Problem") } },
        },
      },
      headers: headerComponents,
      examples: problemExamples,
      schemas: Object.fromEntries(Object.entries(components.schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  };
}

/** A message of CRI, or a part of one, in a schema of ours. */
function messageFor(components: Components, part: Schema | undefined): Schema | undefined {
  const { "x-cri-message": whole, "x-cri-part": some, description } = part ?? {};
  const name = whole ?? some;
  if (typeof name !== "string") return undefined;
  const { $ref } = components.message(name, "input");
  if (whole !== undefined) return { $ref, description };
  const component = String($ref).slice(String($ref).lastIndexOf("/") + 1);
  const { required: _, ...optional } = components.schemas[component] as Schema;
  return { ...components.define(`Part${component}`, optional), description };
}

/** Messages that occur in both requests and replies. */
function sentBothWays(routes: readonly Route[]): ReadonlySet<string> {
  const rpcs = routes.flatMap((route) =>
    route.kind === "unary" || route.kind === "list" ? [route.rpc] : [],
  );
  const inputs = reachable(rpcs.map((rpc) => methods[rpc].request));
  const outputs = reachable(rpcs.map((rpc) => methods[rpc].response));
  return new Set([...inputs].filter((name) => outputs.has(name)));
}

/** Message fields of replies, as `Message.field`, whose absence turns the answer into a 404. */
function demanded(routes: readonly Route[]): ReadonlySet<string> {
  return new Set(
    routes.flatMap((route) =>
      route.kind === "unary" && route.notFoundUnless !== undefined
        ? [`${methods[route.rpc].response}.${route.notFoundUnless}`]
        : [],
    ),
  );
}

function operation(route: Route, { components, plain, describe }: Making): Schema {
  const example = entryOf(examples, route.id) ?? {};
  const words = entryOf(synonyms, route.id);
  const making = { components, plain, describe, example };
  const body = requestBody(route, making);
  const rpcs = rpcsOf(route);
  const mediaTypes = mediaTypesOf(route);
  const description = [
    entryOf(operations, route.id),
    route.kind === "list" ? orderOf(route) : undefined,
    grantsBesides(route),
  ].filter((part) => part !== undefined);
  return {
    operationId: route.id,
    tags: [tagOf(route)],
    summary: route.summary,
    ...(description.length > 0 ? { description: description.join("\n\n") } : {}),
    "x-cri-rpc": rpcs.length === 1 ? rpcs[0] : rpcs,
    "x-crest-grant": route.allow,
    ...(words === undefined ? {} : { "x-crest-synonyms": words }),
    // Not in `content`: generators would make one type of a page and an item, and ask for both.
    ...(mediaTypes.length > 1 ? { "x-crest-media-types": mediaTypes } : {}),
    ...parametersOf(route, components, example),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: { ...success(route, making), ...failuresOf(route) },
  };
}

/** Describes the order of a list. Runtimes return random order. */
function orderOf({ order }: ListRoute): string {
  const fields = order.map((field) =>
    field.startsWith("-") ? `\`${field.slice(1)}\`, newest first` : `\`${field}\``,
  );
  return `Items are sorted by ${fields.join(", then by ")}. As lines (NDJSON) they come in the runtime's order.`;
}

const isRun = (route: Route): boolean => route.kind === "custom" && route.progress === "run";

/** Describes the grants that an operation needs besides its own. */
function grantsBesides(route: Route): string | undefined {
  const sentences = [
    ...Object.entries(route.fieldGrants ?? {}).map(([field, grant]) =>
      grant === "host"
        ? `\`${field}\` needs all of the grant \`host\` as well.`
        : `\`${field}\` needs the grant \`${grant}\` as well.`,
    ),
    ...((route.kind === "unary" && hasPolicy(route.rpc)) || isRun(route)
      ? [
          "The pod policy fills in safe values. What exceeds it needs a word of the grant `host`: without, this is 403 with all reasons in `errors`.",
        ]
      : []),
  ];
  return sentences.length > 0 ? sentences.join(" ") : undefined;
}

// ---- Requests ----

function parametersOf(
  route: Route,
  components: Components,
  { parameters: values = {} }: Example,
): { readonly parameters?: readonly Schema[] } {
  const parameters: Schema[] = [];
  const request = "rpc" in route ? methods[route.rpc].request : undefined;
  for (const name of Object.keys(route.path ?? {})) {
    parameters.push({
      name,
      in: "path",
      required: true,
      ...describePath(name),
      schema: { type: "string", minLength: 1 },
    });
  }
  const bound = route.kind === "list" ? route.filters : route.query;
  for (const [name, path] of Object.entries(bound ?? {})) {
    if (request === undefined) continue;
    const { message, field } = locate(request, path);
    const { description, ...schema } = components.field(message, field, "input");
    const byDefault = route.defaults?.[name];
    const isFilter = route.kind === "list" && schema.type === "string";
    parameters.push({
      name,
      in: "query",
      ...(route.kind === "session" && route.required?.includes(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: {
        ...schema,
        ...(isFilter ? { minLength: 1 } : {}),
        ...(byDefault === undefined ? {} : { default: byDefault }),
      },
      ...(field.repeated ? { style: "form", explode: true } : {}),
    });
  }
  for (const [name, own] of Object.entries(route.gatewayParams ?? {})) {
    parameters.push({ name, in: "query", description: own.description, schema: ownSchema(own) });
  }
  if (route.kind === "list") parameters.push(...pageParameters(route));
  if (isIdempotent(route)) parameters.push(idempotencyKey);
  const shown = parameters.map((parameter) => {
    const example = values[String(parameter.name)];
    return example === undefined ? parameter : { ...parameter, example };
  });
  return shown.length > 0 ? { parameters: shown } : {};
}

function describePath(name: string): Schema {
  if (name === "image") {
    return {
      description:
        "Reference or id of the image. Slashes and colons may be percent-encoded: `docker.io%2Flibrary%2Fbusybox%3A1.35`.",
    };
  }
  if (name === "pullId") return { description: "Id of the pull, from `listPulls` or from its progress." };
  if (name === "sessionId")
    return { description: "Id of the session, from its first message or from `listSessions`." };
  if (name === "tokenName") return { description: "Name of the token, from `listTokens`." };
  const what = name === "podSandboxId" ? "pod" : "container";
  const names = what === "pod" ? "`web` or `demo%2Fweb`" : "`main`, `web%2Fmain` or `demo%2Fweb%2Fmain`";
  return { description: `Id of the ${what}, a unique prefix of it, or its name: ${names}.` };
}

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "Makes it safe to repeat the request after its answer was lost: take a new key for each new request, such as a random UUID, and the same one for its retries. A repetition gets the answer of the first request, for which it waits if need be, with `Idempotent-Replayed: true`; with another body or path it is 422. Failures are not remembered, except `outcome_unknown`. The work goes on if the client leaves. A caller's last 1,000 keys are remembered for 24 hours, but not over a restart of the gateway.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
  example: "9f2b1c64-5d0e-4c1b-8a55-0f3f7f0a4f1e",
} satisfies Schema;

function ownSchema({ type, words, default: byDefault, minimum, maximum, minLength }: GatewayParam): Schema {
  return {
    type,
    ...(words === undefined ? {} : { enum: words }),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
    ...(minLength === undefined ? {} : { minLength }),
  };
}

function pageParameters(route: ListRoute): readonly Schema[] {
  const selector = {
    name: "labelSelector",
    in: "query",
    description:
      'Kubernetes label selector: `app=web,tier!=db`, `app in (web,api)`, `app notin (web)`, `app`, `!app`. Write labels that Kubernetes does not allow as JSON strings: `"my key"="a b"`.',
    schema: { type: "string" },
  };
  return [
    ...(route.labels === undefined ? [] : [selector]),
    {
      name: "limit",
      in: "query",
      description: "Maximum number of items. If there are more, the response has `continue`.",
      schema: { type: "integer", minimum: 1, maximum: 1000 },
    },
    {
      name: "continue",
      in: "query",
      description: "The `continue` of the previous page, with the same filters.",
      schema: { type: "string" },
    },
  ];
}

function requestBody(route: Route, making: Showing): Schema | undefined {
  if (!("body" in route) || route.body === undefined) return undefined;
  const schema =
    route.kind === "custom"
      ? making.plain((requests as { readonly [id: string]: object })[route.id] ?? {})
      : bodySchema(route, making);
  const { body } = making.example;
  return {
    required: true,
    content: { "application/json": media(schema, body), "application/yaml": media(schema, undefined) },
  };
}

const media = (schema: Schema, example: object | undefined): Schema =>
  example === undefined ? { schema } : { schema, example };

/** The request's fields that path and query do not set, with a spread field replaced by its members. */
function bodySchema(route: UnaryRoute, making: Making): Schema {
  const { components } = making;
  const name = `${route.id.slice(0, 1).toUpperCase()}${route.id.slice(1)}Body`;
  const request = methods[route.rpc].request;
  const taken = new Set([...Object.values(route.path ?? {}), ...Object.values(route.query ?? {})]);
  const rest = messageOf(descriptors, request).fields.filter((field) => !taken.has(field.name));
  if (route.body === "*") {
    if (rest.length === messageOf(descriptors, request).fields.length)
      return components.message(request, "input");
    return components.define(
      name,
      objectOf(
        making,
        request,
        rest.map((field) => [request, field] as const),
      ),
    );
  }
  const spread = typeof route.body === "object" ? route.body.spread : "";
  const { field } = locate(request, spread);
  const beside = spread.includes(".") ? [] : rest.filter(({ name: other }) => other !== spread);
  if (beside.length === 0) return components.message(field.type, "input");
  const inside = messageOf(descriptors, field.type).fields.map((member) => [field.type, member] as const);
  return components.define(
    name,
    objectOf(making, field.type, [...inside, ...beside.map((member) => [request, member] as const)]),
  );
}

/** `about` is the message that provides the description. A field's own message decides whether it is required. */
function objectOf(
  { components, describe }: Making,
  about: string,
  fields: readonly (readonly [message: string, field: Field])[],
): Schema {
  const description = describe(about);
  const isTop = (message: string, { name }: Field) => message === about && name === "metadata";
  const required = fields.filter(([message, field]) => isNeeded(message, field) || isTop(message, field));
  return {
    type: "object",
    ...(description === undefined ? {} : { description }),
    properties: Object.fromEntries(
      fields.map(([message, field]) => [field.name, components.field(message, field, "input")]),
    ),
    ...(required.length > 0 ? { required: required.map(([, field]) => field.name) } : {}),
    additionalProperties: false,
  };
}

function locate(message: string, path: string): { readonly message: string; readonly field: Field } {
  const [head, ...rest] = path.split(".");
  const field = messageOf(descriptors, message).fields.find(({ name }) => name === head);
  if (!field) throw new TypeError(`${message} has no field ${path}`);
  return rest.length > 0 ? locate(field.type, rest.join(".")) : { message, field };
}

// ---- Responses ----

function success(route: Route, { components, plain, describe, example }: Showing): Schema {
  if (isSession(route)) {
    return {
      "101": {
        description: "The session has begun; the connection now uses the subprotocol.",
        headers: {
          "Sec-WebSocket-Protocol": {
            description: "The chosen subprotocol.",
            schema: { type: "string", enum: route.subprotocols },
            ...(example.subprotocol === undefined ? {} : { example: example.subprotocol }),
          },
        },
      },
    };
  }
  const requestId = {
    "X-Request-Id": { $ref: "#/components/headers/X-Request-Id" },
    ...((route.kind === "unary" && route.body !== undefined) || isRun(route)
      ? { Warning: { $ref: "#/components/headers/Warning" } }
      : {}),
  };
  if (route.kind === "list") {
    const page = listSuccess(route, { components, describe, headers: requestId, example });
    return route.volatile ? { "200": page } : { "200": page, "304": unchanged(requestId) };
  }
  if (route.success === 204) return { "204": { description: "Success.", headers: requestId } };
  const schema = answerSchema(route, components, plain);
  const body = route.kind === "stream" ? pageSchema(route, plain) : undefined;
  const item = itemSchema(route, schema, plain);
  const location = {
    Location: {
      description: "Path of the created resource.",
      required: true,
      schema: { type: "string" },
      ...(example.location === undefined ? {} : { example: example.location }),
    },
  };
  return {
    [String(route.success)]: {
      description: route.success === 201 ? "Created." : "Success.",
      headers: {
        ...requestId,
        ...("location" in route && route.location ? location : {}),
        ...(isIdempotent(route) ? idempotentReplayed : {}),
        ...("responseHeader" in route && route.responseHeader === "version" ? crestVersion : {}),
        ...(item === undefined ? {} : unbuffered),
        ...("download" in (route.gatewayParams ?? {}) ? downloaded : {}),
      },
      content: {
        "application/json": media(body ?? schema, example.answer),
        ...(route.kind === "stream" && route.byDefault === "text" ? plainText : {}),
      },
      ...(item === undefined ? {} : { "x-crest-ndjson-item": item }),
    },
  };
}

/** The answer of a stream as JSON, where that is not its last item. */
function pageSchema({ id }: StreamRoute, plain: (schema: object) => Schema): Schema | undefined {
  const body = (bodies as { readonly [id: string]: object })[id];
  return body === undefined ? undefined : plain(body);
}

function answerSchema(
  route: Exclude<Route, { readonly kind: "session" | "resume" | "list" }>,
  components: Components,
  plain: (schema: object) => Schema,
): Schema {
  if (route.kind !== "unary") {
    const id = route.id as CustomRouteId | StreamRouteId;
    // A schema that several routes share has a name of its own, and is defined once.
    const schema = plain(answers[id]);
    if ("$ref" in schema) return schema;
    return components.define(`${id.slice(0, 1).toUpperCase()}${id.slice(1)}Answer`, schema);
  }
  return route.renderer === "execOutput"
    ? reference("ExecAnswer")
    : components.message(methods[route.rpc].response, "output");
}

/** The schema of what comes as lines or events; undefined for a route with a single answer. */
function itemSchema(route: Route, answer: Schema, plain: (schema: object) => Schema): Schema | undefined {
  if (route.kind === "stream") return answer;
  if (!("progress" in route)) return undefined;
  return route.progress === "pull" ? plain(PullItem) : route.progress === "run" ? plain(RunItem) : undefined;
}

const idempotentReplayed = {
  "Idempotent-Replayed": {
    description: "`true` for the answer of an earlier request with the same `Idempotency-Key`.",
    schema: { type: "string", const: "true" },
  },
};

const crestVersion = {
  "Crest-Version": {
    description: "Version of the gateway and of this document.",
    required: true,
    schema: { type: "string" },
  },
};

/** What a request without `Accept` gets from a route whose first form is text. */
const plainText = { "text/plain": { schema: { type: "string" } } };

const unbuffered = {
  "X-Accel-Buffering": {
    description: "`no` for streams, so that proxies do not buffer them.",
    schema: { type: "string", enum: ["no"] },
  },
};

const downloaded = {
  "Content-Disposition": {
    description: "With `download`: name of the file to save.",
    schema: { type: "string" },
  },
  "Content-Encoding": {
    description: "With `download`, if `Accept-Encoding` allows it.",
    schema: { type: "string", enum: ["gzip"] },
  },
  Vary: { description: "With `download`.", schema: { type: "string", enum: ["accept-encoding"] } },
};

const etag = {
  ETag: {
    description: "Entity tag of this page, for If-None-Match.",
    schema: { type: "string", pattern: '^W/"[A-Za-z0-9_-]{22}"$' },
  },
};

const unchanged = (headers: Schema): Schema => ({
  description: "The page has not changed since `If-None-Match`.",
  headers: { ...headers, ...etag },
});

const failures = {
  type: "array",
  items: reference("ListFailure"),
  description: "Items that could not be read and are missing from the list. Absent if there are none.",
};

/** The NDJSON line for one of `failures`, after the items. */
const failureLine = {
  type: "object",
  properties: { failure: reference("ListFailure") },
  required: ["failure"],
};

function listSuccess(
  route: ListRoute,
  { components, describe, headers, example }: Omit<Showing, "plain"> & { readonly headers: Schema },
): Schema {
  const reply = methods[route.rpc].response;
  const item = locate(reply, route.items).field;
  const about = describe(reply);
  // The RPC's response, plus the fields that paging adds.
  const name = reply.replace(/Response$/, "Reply");
  const schema = components.define(name, {
    type: "object",
    ...(about === undefined ? {} : { description: about }),
    properties: {
      [route.items]: components.field(reply, item, "output"),
      ...(route.partial ? { failures } : {}),
      continue: { type: "string", description: "Requests the next page; absent on the last one." },
    },
    required: isAlwaysThere(item) ? [route.items] : [],
  });
  return {
    description:
      "One page, in a stable order. With `Accept: application/x-ndjson`, the response is one line per item, without an ETag; if the runtime fails or stalls halfway, the connection is closed without the last chunk." +
      (route.partial ? ' The last lines are `{"failure": ...}`, one for each of `failures`.' : ""),
    headers: { ...headers, ...(route.volatile ? {} : etag) },
    content: { "application/json": media(schema, example.answer) },
    "x-crest-ndjson-item": components.message(item.type, "output"),
    ...(route.partial ? { "x-crest-ndjson-failure": failureLine } : {}),
  };
}
