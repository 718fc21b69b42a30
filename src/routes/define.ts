/**
 * The vocabulary of the route table. A route is data; Fastify's routes, the grants, the contract
 * tests and the published document are derived from it.
 *
 * The compiler holds what a review would forget: `rpc` is a real RPC, every path parameter is bound
 * to a field of its request, and a request field that nothing can set is an error until `omit` gives
 * the reason. So the API stays lossless.
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
/** `path` for a target: required, with exactly its parameters, when it has any. */
type PathOf<H extends Target, P> = [Params<H>] extends [never]
  ? { readonly path?: never }
  : { readonly path: P & { readonly [K in Exclude<keyof P, Params<H>>]: never } };

// ---- What a declaration binds, and what it leaves out ----

/** Fields of a message that are messages themselves. */
type MessageField<T> = {
  [K in keyof T & string]-?: IsLeaf<NonNullable<T[K]>> extends true ? never : K;
}[keyof T & string];
/** A message inside the only field of a request: nothing stands beside it. */
type OnlyMessage<T> = [Exclude<keyof T, MessageField<T>>] extends [never]
  ? { [K in MessageField<T>]: `${K}.${MessageField<NonNullable<T[K]>>}` }[MessageField<T>]
  : never;
/** Message fields whose members can stand beside the request's own without a clash of names. */
type Spreadable<T> = {
  [K in keyof T & string]-?: IsLeaf<NonNullable<T[K]>> extends true
    ? never
    : [keyof NonNullable<T[K]> & Exclude<keyof T, K>] extends [never]
      ? K
      : never;
}[keyof T & string];
/** `*`: the request message, but for what path and query set; `spread`: that field's members at the top of the body. */
type Body<R extends Rpc> = "*" | { readonly spread: Spreadable<Request<R>> | OnlyMessage<Request<R>> };
type Values<T> = T[keyof T];

/** Request fields that no caller can set; a body takes all that path and query leave. */
type Unbound<R extends Rpc, Bound, B> = [B] extends [undefined]
  ? Exclude<LeafPath<Request<R>>, Bound>
  : never;
/** Each of them needs a reason; where none is left there is no `omit`. */
type Omitted<U extends string> = [U] extends [never]
  ? { readonly omit?: never }
  : { readonly omit: { readonly [F in U]: string } };

/** How an answer is written that is not the RPC's response as it stands; one implementation each. */
export type Renderer = "execOutput";

/** What an answer says of the gateway in a header, beside what the runtime says of itself; one implementation each. */
export type ResponseHeader = "version";

/** Filters of lists that are applied here as well; one implementation each. */
export type PostFilter = "imageNames";

/** What a route asks of its caller. */
export type Access = Grant | "authenticated";

export type Success = 200 | 201 | 204;

interface Base<Id extends string, H extends Target> {
  /** Reads as a method (`listContainers`): the operationId, and the name in generated clients. */
  readonly id: Id;
  readonly http: H;
  /** The grant that the operation needs, whatever its HTTP method; `authenticated`: the token alone. */
  readonly allow: Access;
  /** What a field or parameter needs besides when it is given, by its dotted name. */
  readonly fieldGrants?: { readonly [field: string]: Grant };
  readonly summary: string;
}

/** One RPC, one answer. */
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
      /** Values of query parameters that are not given, where CRI's own default is not what one means. */
      readonly defaults?: { readonly [K in keyof Q]?: string };
      readonly gatewayParams?: { readonly [name: string]: GatewayParam };
      readonly body?: B;
      readonly success: Success;
      /** The message field of the response without which the answer is 404. */
      readonly notFoundUnless?: keyof Response<R> & string;
      /** Where what was created is found; its parameters are fields of the response. */
      readonly location?: `/v1/${string}{${keyof Response<R> & string}}`;
      readonly renderer?: Renderer;
      readonly responseHeader?: ResponseHeader;
    } & Omitted<Unbound<R, Values<P> | Values<Q>, B>>,
): UnaryRoute<Id> {
  const declared = { kind: "unary", ...route } as UnaryRoute<Id>;
  if (route.body === undefined) return declared;
  return { ...declared, gatewayParams: { ...route.gatewayParams, ...parametersFor("withBody") } };
}

/** The items of a list reply. */
type ItemOf<R extends Rpc, I extends string> = I extends keyof Response<R>
  ? Response<R>[I] extends readonly (infer E)[]
    ? E
    : never
  : never;
/** A field that items are ordered by; `-` for descending. */
type OrderField<T> = LeafPath<T> | `-${LeafPath<T>}`;

/** A list RPC: its filters; paging, NDJSON and ETag come with the kind. */
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
    /** The streaming RPC that gives the same items, where CRI has one. */
    readonly stream?: S & (Request<S> extends Request<R> ? unknown : never);
    /** The response field that holds the items. */
    readonly items: I;
    /**
     * The fields of an item that give the one stable order; together they are unique. Runtimes answer in
     * random order.
     */
    readonly order: readonly [OrderField<ItemOf<R, I>>, ...OrderField<ItemOf<R, I>>[]];
    /** The items change by themselves: no ETag would ever match again. */
    readonly volatile?: true;
    /** Items that cannot be read are left out, and named as `failures`. */
    readonly partial?: true;
    readonly filters?: F;
    /** The map that takes the equality terms of `labelSelector`. */
    readonly labels?: L;
    /** The map of an item that `labelSelector` is held against. */
    readonly labelsOf?: PathsOf<ItemOf<R, I>, { [k: string]: string }>;
    /** A filter that not every runtime applies, so that it is applied here as well. */
    readonly postFilter?: PostFilter;
  } & Omitted<Exclude<LeafPath<Request<R>>, Values<F> | L>>,
): ListRoute<Id> {
  return { kind: "list", ...route } as ListRoute<Id>;
}

/** A WebSocket session; the RPC answers the URL that the gateway dials. */
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
      /** Parameters of the query without which there is nothing to do. */
      readonly required?: readonly (keyof Q & string)[];
      readonly gatewayParams?: { readonly [name: string]: GatewayParam };
      /** In the order of preference. */
      readonly subprotocols: readonly [string, ...string[]];
    } & Omitted<Exclude<LeafPath<Request<R>>, Values<P> | Values<Q>>>,
): SessionRoute<Id> {
  return { kind: "session", ...route } as SessionRoute<Id>;
}

/** What no single RPC answers: the handler is found by `id`, and a missing one does not compile. */
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
      readonly success: Success;
    },
): CustomRoute<Id, P> {
  return { kind: "custom", ...route } as CustomRoute<Id, P>;
}

/**
 * How a sequence of items is written. JSON is its last item alone, unless the route has a body of its own. A WebSocket gets a text message for
 * each.
 */
export type StreamForm = "json" | "ndjson" | "sse" | "text" | "websocket";

/** A sequence of items, as they come: the handler is found by `id`. */
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
      /** The first is that of a request without `Accept`. */
      readonly forms: readonly [StreamForm, ...StreamForm[]];
    },
): StreamRoute<Id, P> {
  return { kind: "stream", success: 200, ...route } as StreamRoute<Id, P>;
}

// ---- The erased forms that the registrars read ----

interface AnyRoute<Id extends string> extends Base<Id, Target> {
  /** Path parameter -> field of the request that it sets. */
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
  readonly responseHeader?: ResponseHeader;
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

/** What the path of a route without an RPC of its own may name. */
type PathField = "podSandboxId" | "containerId" | "image.image";
type PathFields = { readonly [name: string]: PathField };

export interface CustomRoute<Id extends string = string, P extends PathFields = PathFields>
  extends AnyRoute<Id> {
  readonly kind: "custom";
  readonly path?: P;
  readonly uses: readonly Rpc[];
  readonly success: Success;
}

export interface StreamRoute<Id extends string = string, P extends PathFields = PathFields>
  extends AnyRoute<Id> {
  readonly kind: "stream";
  readonly path?: P;
  readonly uses: readonly Rpc[];
  readonly success: 200;
  readonly forms: readonly [StreamForm, ...StreamForm[]];
}

export type Route<Id extends string = string> =
  | UnaryRoute<Id>
  | ListRoute<Id>
  | SessionRoute<Id>
  | CustomRoute<Id>
  | StreamRoute<Id>;

/** The RPCs that a route may call. */
export function rpcsOf(route: Route): readonly Rpc[] {
  if ("uses" in route) return route.uses;
  return route.kind === "list" && route.stream !== undefined ? [route.rpc, route.stream] : [route.rpc];
}
