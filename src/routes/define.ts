/**
 * The vocabulary of the route table. A route is data: Fastify's routes, the grants, the contract tests and the
 * published document derive from it.
 *
 * The compiler keeps the API lossless. `rpc` must be a real RPC, every path parameter must be bound to a field of its
 * request, and a request field that nothing can set is an error unless `omit` gives the reason.
 */
import type { Methods, Rpc } from "../gen/methods.ts";
import type { Grant } from "../grants.ts";
import { type GatewayParam, parametersFor } from "./parameters.ts";

type Request<R extends Rpc> = Methods[R]["request"];
type Response<R extends Rpc> = Methods[R]["response"];
type StreamRpc = { [R in Rpc]: Methods[R]["stream"] extends true ? R : never }[Rpc];
type UnaryRpc = Exclude<Rpc, StreamRpc>;

// ---- Field paths: "containerId", "image.image", "filter.state.state" ----

type Scalar = string | number | boolean;
type IsLeaf<V> = [V] extends [Scalar]
  ? true
  : V extends readonly unknown[]
    ? true
    : string extends keyof V
      ? true
      : false;

/** Dotted paths to the leaves of message `T`; a list or a map is a leaf. */
export type LeafPath<T> = {
  [K in keyof T & string]-?: IsLeaf<NonNullable<T[K]>> extends true
    ? K
    : `${K}.${LeafPath<NonNullable<T[K]>>}`;
}[keyof T & string];

/** The type of the field at path `P` of `T`. */
type At<T, P extends string> = P extends `${infer K}.${infer Rest}`
  ? K extends keyof T
    ? At<NonNullable<T[K]>, Rest>
    : never
  : P extends keyof T
    ? NonNullable<T[P]>
    : never;

type PathsOf<T, V> = { [P in LeafPath<T>]: [At<T, P>] extends [V] ? P : never }[LeafPath<T>];

// ---- The target: "POST /v1/containers/{containerId}/stop" ----

type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Target = `${Verb} /${string}`;
type Params<H extends string> = H extends `${string}{${infer P}}${infer Rest}` ? P | Params<Rest> : never;
/** `path` for a target. If the target has parameters, `path` is required and must bind exactly those. */
type PathOf<H extends Target, P> = [Params<H>] extends [never]
  ? { readonly path?: never }
  : { readonly path: P & { readonly [K in Exclude<keyof P, Params<H>>]: never } };

// ---- What a declaration binds, and what it omits ----

/** Fields whose type is a message. */
type MessageField<T> = {
  [K in keyof T & string]-?: IsLeaf<NonNullable<T[K]>> extends true ? never : K;
}[keyof T & string];
/** A message inside a request's only field, so that no other fields can clash. */
type OnlyMessage<T> = [Exclude<keyof T, MessageField<T>>] extends [never]
  ? { [K in MessageField<T>]: `${K}.${MessageField<NonNullable<T[K]>>}` }[MessageField<T>]
  : never;
/** Message fields whose members do not clash with the request's other fields. */
type Spreadable<T> = {
  [K in keyof T & string]-?: IsLeaf<NonNullable<T[K]>> extends true
    ? never
    : [keyof NonNullable<T[K]> & Exclude<keyof T, K>] extends [never]
      ? K
      : never;
}[keyof T & string];
/**
 * `*`: the request message, except what path and query set; `spread`: the top of the body holds that field's members.
 */
type Body<R extends Rpc> = "*" | { readonly spread: Spreadable<Request<R>> | OnlyMessage<Request<R>> };
type Values<T> = T[keyof T];

/** Request fields that no caller can set. A body accepts every field that path and query do not set. */
type Unbound<R extends Rpc, Bound, B> = [B] extends [undefined]
  ? Exclude<LeafPath<Request<R>>, Bound>
  : never;
/** Requires a reason for each unbound field, and forbids `omit` if there are none. */
type Omitted<U extends string> = [U] extends [never]
  ? { readonly omit?: never }
  : { readonly omit: { readonly [F in U]: string } };

/** How to write an answer that is not the RPC's response. Each has one implementation. */
export type Renderer = "execOutput";

/** Whose steps an answer can report, as NDJSON or server-sent events, before its result. Each has one implementation. */
export type Progress = "pull" | "run";

/** Response headers about the gateway, not the runtime. Each has one implementation. */
export type ResponseHeader = "version";

/** List filters that Crest applies too. Each has one implementation. */
export type PostFilter = "imageNames";

/**
 * Where the items of a list have the name and the namespace that the parameters `name` and `namespace` select. An item
 * without a namespace has the id of its pod or container.
 */
export interface NameFields<Path extends string = string> {
  readonly name: Path;
  readonly namespace: Path | { readonly pod: Path } | { readonly container: Path };
}

/** What a route requires of its caller. */
export type Access = Grant | "authenticated";

export type Success = 200 | 201 | 204;

interface Base<Id extends string, H extends Target> {
  /** The operationId, and the name in generated clients. Named like a method: `listContainers`. */
  readonly id: Id;
  readonly http: H;
  /** The required grant, whatever the HTTP method. `authenticated` requires only a valid token. */
  readonly allow: Access;
  /** Additional grants for fields and parameters, if used, by dotted name. */
  readonly fieldGrants?: { readonly [field: string]: Grant };
  readonly summary: string;
}

/**
 * How a grant that is narrowed to some pods applies to a route without a pod or container in its path: to the pod in the
 * request's `config`; or not at all, because the reply tells nothing of pods. Default: such a grant does not suffice.
 */
export type RouteScope = "config" | "none";

/** Declares a route that one RPC answers. */
export function unary<
  const Id extends string,
  const R extends UnaryRpc,
  const H extends Target,
  const P extends { readonly [K in Params<H>]: LeafPath<Request<R>> },
  const Q extends { readonly [name: string]: LeafPath<Request<R>> } = Record<never, never>,
  const B extends Body<R> | undefined = undefined,
>(
  route: Base<Id, H> &
    PathOf<H, P> & {
      readonly rpc: R;
      readonly query?: Q;
      /** Defaults of query parameters where CRI's own default is not what callers expect. */
      readonly defaults?: { readonly [K in keyof Q]?: string };
      readonly gatewayParams?: { readonly [name: string]: GatewayParam };
      readonly body?: B;
      readonly success: Success;
      /** The answer is 404 if the response lacks this message field. */
      readonly notFoundUnless?: keyof Response<R> & string;
      /** The path of the created object. Its parameters are fields of the response. */
      readonly location?: `/v1/${string}{${keyof Response<R> & string}}`;
      readonly renderer?: Renderer;
      readonly progress?: Progress;
      readonly responseHeader?: ResponseHeader;
      readonly scope?: RouteScope;
      /** Takes an `Idempotency-Key`. A repetition gets the same answer, which is kept in memory for a day. */
      readonly idempotent?: true;
    } & Omitted<Unbound<R, Values<P> | Values<Q>, B>>,
): UnaryRoute<Id> {
  const declared = { kind: "unary", ...route } as UnaryRoute<Id>;
  if (route.body === undefined) return declared;
  return { ...declared, gatewayParams: { ...route.gatewayParams, ...parametersFor("withBody") } };
}

/** The item type of a list reply. */
type ItemOf<R extends Rpc, I extends string> = I extends keyof Response<R>
  ? Response<R>[I] extends readonly (infer E)[]
    ? E
    : never
  : never;
/** A field to order items by; `-` for descending. */
type OrderField<T> = LeafPath<T> | `-${LeafPath<T>}`;

/** Declares a list RPC and its filters. Paging, NDJSON and ETag come with the kind. */
export function list<
  const Id extends string,
  const R extends UnaryRpc,
  const I extends {
    [K in keyof Response<R>]: Response<R>[K] extends readonly unknown[] ? K : never;
  }[keyof Response<R>] &
    string,
  const F extends { readonly [name: string]: LeafPath<Request<R>> } = Record<never, never>,
  const L extends PathsOf<Request<R>, { [k: string]: string }> | undefined = undefined,
  const S extends StreamRpc = never,
>(
  route: Base<Id, `GET /${string}`> & {
    readonly rpc: R;
    /** The streaming RPC for the same items, if CRI has one. */
    readonly stream?: S & (Request<S> extends Request<R> ? unknown : never);
    /** The response field that holds the items. */
    readonly items: I;
    /** The item fields that define the stable order; together they are unique. Runtimes return random order. */
    readonly order: readonly [OrderField<ItemOf<R, I>>, ...OrderField<ItemOf<R, I>>[]];
    /** The items change constantly, so an ETag would never match again. */
    readonly volatile?: true;
    /** Items that cannot be read are left out and listed in `failures`. */
    readonly partial?: true;
    readonly filters?: F;
    readonly gatewayParams?: { readonly [name: string]: GatewayParam };
    /** Requires `gatewayParams` of this name. */
    readonly names?: NameFields<LeafPath<ItemOf<R, I>>>;
    /** The request map for the equality terms of `labelSelector`. */
    readonly labels?: L;
    /** The item map that `labelSelector` is matched against. */
    readonly labelsOf?: PathsOf<ItemOf<R, I>, { [k: string]: string }>;
    /** A filter that Crest applies too, because not every runtime does. */
    readonly postFilter?: PostFilter;
  } & Omitted<Exclude<LeafPath<Request<R>>, Values<F> | L>>,
): ListRoute<Id> {
  return { kind: "list", ...route } as ListRoute<Id>;
}

/** Declares a WebSocket session. The RPC returns the URL that the gateway dials. */
export function session<
  const Id extends string,
  const R extends "RuntimeService/Exec" | "RuntimeService/Attach" | "RuntimeService/PortForward",
  const H extends `GET /${string}`,
  const P extends { readonly [K in Params<H>]: LeafPath<Request<R>> },
  const Q extends { readonly [name: string]: LeafPath<Request<R>> },
>(
  route: Base<Id, H> &
    PathOf<H, P> & {
      readonly rpc: R;
      readonly query: Q;
      /** Required query parameters. */
      readonly required?: readonly (keyof Q & string)[];
      readonly gatewayParams?: { readonly [name: string]: GatewayParam };
      /** In order of preference. */
      readonly subprotocols: readonly [string, ...string[]];
    } & Omitted<Exclude<LeafPath<Request<R>>, Values<P> | Values<Q>>>,
): SessionRoute<Id> {
  return { kind: "session", ...route } as SessionRoute<Id>;
}

/** Declares a WebSocket that goes on with a kept session. It needs the grant for the session's container again. */
export function resume<const Id extends string, const H extends `GET /${string}`>(
  route: Base<Id, H> & {
    readonly path: { readonly [K in Params<H>]: "sessionId" };
    /** The RPCs that are called to find the container. */
    readonly uses: readonly Rpc[];
    readonly gatewayParams: { readonly [name: string]: GatewayParam };
    /** In order of preference. */
    readonly subprotocols: readonly [string, ...string[]];
  },
): ResumeRoute<Id> {
  return { kind: "resume", ...route } as ResumeRoute<Id>;
}

/** Declares a route that no single RPC answers. Its handler is found by `id`; a missing one does not compile. */
export function custom<
  const Id extends string,
  const H extends Target,
  const P extends PathFields & { readonly [K in Params<H>]: PathField },
>(
  route: Base<Id, H> &
    PathOf<H, P> & {
      /** The RPCs that the handler may call. */
      readonly uses: readonly Rpc[];
      readonly gatewayParams?: { readonly [name: string]: GatewayParam };
      /** The body is an object that the handler checks. Its schema is in answers.ts. */
      readonly body?: true;
      readonly success: Success;
      /** Takes an `Idempotency-Key`. A repetition gets the same answer, which is kept in memory for a day. */
      readonly idempotent?: true;
      /** The path of the created object. Its parameters are members of the answer. */
      readonly location?: `/v1/${string}`;
      readonly progress?: Progress;
    },
): CustomRoute<Id, P> {
  return { kind: "custom", ...route } as CustomRoute<Id, P>;
}

/**
 * How a sequence of items is written. JSON is only its last item, unless the handler makes it; a WebSocket sends one text
 * message per item.
 */
export type StreamForm = keyof typeof mediaTypes | "websocket";

/** The media type of each form of an answer. */
export const mediaTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
  text: "text/plain",
} as const;

type MediaType = (typeof mediaTypes)[keyof typeof mediaTypes];

/** Declares a route that sends a sequence of items as they arrive. Its handler is found by `id`. */
export function stream<
  const Id extends string,
  const H extends `GET /${string}`,
  const P extends PathFields & { readonly [K in Params<H>]: Exclude<PathField, "image.image"> },
>(
  route: Base<Id, H> &
    PathOf<H, P> & {
      /** The RPCs that the handler may call. */
      readonly uses: readonly Rpc[];
      readonly gatewayParams?: { readonly [name: string]: GatewayParam };
      /** The form without an `Accept` header. Default: json. */
      readonly byDefault?: "text";
      /** Also takes the id of a removed pod or container whose logs are kept. */
      readonly takesRemoved?: true;
    },
): StreamRoute<Id, P> {
  return { kind: "stream", success: 200, ...route } as StreamRoute<Id, P>;
}

// ---- The erased forms, for registration ----

interface AnyRoute<Id extends string> extends Base<Id, Target> {
  /** Path parameter -> the request field that it sets. */
  readonly path?: { readonly [name: string]: string };
  readonly query?: { readonly [name: string]: string };
  readonly defaults?: { readonly [name: string]: string };
  readonly gatewayParams?: { readonly [name: string]: GatewayParam };
  readonly omit?: { readonly [field: string]: string };
}

export interface UnaryRoute<Id extends string = string> extends AnyRoute<Id> {
  readonly kind: "unary";
  readonly rpc: Rpc;
  readonly body?: "*" | { readonly spread: string };
  readonly success: Success;
  readonly notFoundUnless?: string;
  readonly location?: string;
  readonly renderer?: Renderer;
  readonly progress?: Progress;
  readonly responseHeader?: ResponseHeader;
  readonly scope?: RouteScope;
  readonly idempotent?: true;
}

export interface ListRoute<Id extends string = string> extends AnyRoute<Id> {
  readonly kind: "list";
  readonly rpc: Rpc;
  readonly stream?: Rpc;
  readonly items: string;
  readonly order: readonly string[];
  readonly volatile?: true;
  readonly partial?: true;
  readonly labelsOf?: string;
  readonly postFilter?: PostFilter;
  readonly names?: NameFields;
  readonly filters?: { readonly [name: string]: string };
  readonly labels?: string;
}

export interface SessionRoute<Id extends string = string> extends AnyRoute<Id> {
  readonly kind: "session";
  readonly rpc: Rpc;
  readonly query: { readonly [name: string]: string };
  readonly required?: readonly string[];
  readonly subprotocols: readonly string[];
}

export interface ResumeRoute<Id extends string = string> extends AnyRoute<Id> {
  readonly kind: "resume";
  readonly uses: readonly Rpc[];
  readonly subprotocols: readonly string[];
}

/** The fields that path parameters may set on a route without an RPC. */
type PathField = "podSandboxId" | "containerId" | "image.image" | "pullId" | "tokenName" | "sessionId";
type PathFields = { readonly [name: string]: PathField };

export interface CustomRoute<Id extends string = string, P extends PathFields = PathFields>
  extends AnyRoute<Id> {
  readonly kind: "custom";
  readonly path?: P;
  readonly uses: readonly Rpc[];
  readonly body?: true;
  readonly success: Success;
  readonly idempotent?: true;
  readonly location?: string;
  readonly progress?: Progress;
}

export interface StreamRoute<Id extends string = string, P extends PathFields = PathFields>
  extends AnyRoute<Id> {
  readonly kind: "stream";
  readonly path?: P;
  readonly uses: readonly Rpc[];
  readonly success: 200;
  readonly byDefault?: "text";
  /** Also takes the id of a removed pod or container whose logs are kept. */
  readonly takesRemoved?: true;
}

export type Route<Id extends string = string> =
  | UnaryRoute<Id>
  | ListRoute<Id>
  | SessionRoute<Id>
  | ResumeRoute<Id>
  | CustomRoute<Id>
  | StreamRoute<Id>;

/** Whether a route takes an `Idempotency-Key`. */
export const isIdempotent = (route: Route): boolean => "idempotent" in route && route.idempotent === true;

/** Whether a route is a WebSocket session, new or kept. */
export const isSession = (route: Route): route is SessionRoute | ResumeRoute =>
  route.kind === "session" || route.kind === "resume";

/** The media types that a route can return. The first is used without an `Accept` header. */
export function mediaTypesOf(route: Route): readonly [MediaType, ...MediaType[]] {
  const { json, ndjson, sse, text } = mediaTypes;
  if (route.kind === "list") return [json, ndjson];
  if ("progress" in route && route.progress !== undefined) return [json, ndjson, sse];
  if (route.kind !== "stream") return [json];
  return route.byDefault === "text" ? [text, json, ndjson, sse] : [json, ndjson, sse, text];
}

/** The RPCs that a route may call. */
export function rpcsOf(route: Route): readonly Rpc[] {
  if ("uses" in route) return route.uses;
  return route.kind === "list" && route.stream !== undefined ? [route.rpc, route.stream] : [route.rpc];
}
