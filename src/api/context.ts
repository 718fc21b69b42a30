/** One request on its way through the stages of its route (see `stages.ts`). */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Caller } from "../access/authorize.ts";
import type { Kind, PodFacts } from "../inventory/inventory.ts";
import type { Route } from "../routes/define.ts";
import type { Bound, Parts } from "./bind.ts";
import type { RuntimeRequest } from "./runtime-request.ts";

/** The pod or container that a request is about. */
export interface Target {
  readonly kind: Kind;
  /** The full id. */
  readonly id: string;
  /** Its pod; loaded where the decision needs it. */
  readonly pod: PodFacts | undefined;
}

export interface ContextOptions<R extends Route> {
  readonly route: R;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What the stages know of a request. Each stage reads what earlier ones have set. */
export class RequestContext<R extends Route = Route> {
  readonly route: R;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Path, query and body in their places; set by `bind`. */
  bound: Bound = nothingBound;
  /** What goes to the runtime; set by `bind`, changed by `target` and `defaults`. Absent where no single RPC answers. */
  outgoing: RuntimeRequest | undefined;
  /** Set by `target`. */
  target: Target | undefined;
  /** Names what the caller may see: reads are shared among requests with the same key. Set by `scope`. */
  scopeKey = "";
  /**
   * Called with a function that ends the work under way once the client has left. Sessions replace it until their
   * WebSocket is open.
   */
  onCancel: (cancel: () => void) => void;
  #signal: AbortSignal | undefined;

  constructor({ route, caller, request, reply }: ContextOptions<R>) {
    this.route = route;
    this.caller = caller;
    this.request = request;
    this.reply = reply;
    this.onCancel = whenGone(reply);
  }

  /** Also the `X-Request-Id` of the response, and the request's name in the log. */
  get id(): string {
    return this.request.id;
  }

  /** Aborts when the client has left. Made when first asked for: a controller doubles the cost of a small read. */
  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.onCancel(() => controller.abort());
      this.#signal = controller.signal;
    }
    return this.#signal;
  }

  /** What a binder reads of the request. */
  get parts(): Parts {
    const { params, query, body } = this.request;
    return { params: params as Parts["params"], query: query as Parts["query"], body: body as Parts["body"] };
  }
}

const nothingBound: Bound = { message: {}, gatewayParams: {}, given: [], unknown: undefined };

/**
 * Cancels what works for a client that has left. Not `request.signal`: that fires at the end of a POST body. The
 * response has one listener, however many calls a request makes.
 */
function whenGone({ raw }: FastifyReply): (cancel: () => void) => void {
  const cancels: (() => void)[] = [];
  const left = (): void => {
    if (raw.writableFinished) return;
    for (const cancel of cancels) cancel();
  };
  return (cancel) => {
    cancels.push(cancel);
    // A client that left while an earlier stage ran does not leave again.
    if (!raw.destroyed) {
      if (cancels.length === 1) raw.once("close", left);
    } else if (!raw.writableFinished) cancel();
  };
}
