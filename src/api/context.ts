/** One request on its way through the stages of its route (see `stages.ts`). */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "../access/authorize.ts";
import type { Kind, PodFacts } from "../inventory/inventory.ts";
import type { Held } from "../limits/caller-limiter.ts";
import type { Route } from "../routes/define.ts";
import type { Bound, Parts } from "./bind.ts";
import type { RuntimeRequest } from "./runtime-request.ts";

/** The pod or container that a request is about. */
export interface Target {
  readonly kind: Kind;
  /** The full id. */
  readonly id: string;
  /** Its pod; loaded only if the decision needs it. */
  readonly pod: PodFacts | undefined;
}

declare module "fastify" {
  interface FastifyRequest {
    /** Who sent it; set by authentication. */
    caller?: Caller;
    /** Its body, among those of its caller; undefined if it has none. */
    heldBody?: Held;
  }
}

/** The caller of a request that was authenticated. */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (caller === undefined) throw new TypeError("A route ran without authentication");
  return caller;
}

/** The state that the stages share. Each stage reads what earlier ones set. */
export class RequestContext<R extends Route = Route> {
  readonly route: R;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** The bound path, query and body; set by `bind`. */
  bound: Bound = nothingBound;
  /**
   * The request to the runtime; set by `bind`, changed by `target` and `defaults`. Undefined unless one RPC answers.
   */
  outgoing: RuntimeRequest | undefined;
  /** Set by `target`. */
  target: Target | undefined;
  /** Gives back the name that `claim` took; called once the request has ended. */
  releaseName: (() => void) | undefined;
  /** The grants that the request needs, as far as the stages have come: `run`, `host=port:8000-8010`. */
  readonly usedGrants: Set<string>;
  /**
   * Registers a function that cancels the current work when the client disconnects. Sessions replace it until their
   * WebSocket is open, and requests with an `Idempotency-Key` because their work goes on.
   */
  onCancel: (cancel: () => void) => void;
  #signal: AbortSignal | undefined;
  readonly #parts: Parts | undefined;

  /** `parts`: what a binder reads in place of the request, for a step of another route. */
  constructor(route: R, request: FastifyRequest, reply: FastifyReply, parts?: Parts) {
    this.#parts = parts;
    this.route = route;
    this.caller = callerOf(request);
    this.request = request;
    this.reply = reply;
    this.usedGrants = new Set(route.allow === "authenticated" ? [] : [route.allow]);
    this.onCancel = whenGone(reply);
  }

  /** The request's id in the log and in the `X-Request-Id` response header. */
  get id(): string {
    return this.request.id;
  }

  /** Aborts when the client disconnects. Created on first use: a controller doubles the cost of a small read. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.onCancel(() => controller.abort());
      this.#signal = controller.signal;
    }
    return this.#signal;
  }

  /** The parts of the request that a binder reads. */
  get parts(): Parts {
    if (this.#parts !== undefined) return this.#parts;
    const { params, query, body } = this.request;
    return { params: params as Parts["params"], query: query as Parts["query"], body: body as Parts["body"] };
  }
}

const nothingBound: Bound = { message: {}, gatewayParams: {}, given: [], unknown: undefined };

/**
 * Cancels work when the client disconnects. Not `request.signal`: that fires at the end of a POST body. The response
 * gets one listener, however many calls a request makes.
 */
function whenGone({ raw }: FastifyReply): (cancel: () => void) => void {
  const cancels: (() => void)[] = [];
  const left = (): void => {
    if (raw.writableFinished) return;
    for (const cancel of cancels) cancel();
  };
  return (cancel) => {
    cancels.push(cancel);
    // If the client disconnected during an earlier stage, `close` does not fire again.
    if (!raw.destroyed) {
      if (cancels.length === 1) raw.once("close", left);
    } else if (!raw.writableFinished) cancel();
  };
}
