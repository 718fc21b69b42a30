/** The gateway as the client sees it: where it is, the token, and one HTTP request. */
import { CrestError, errorOf, parseProblem } from "./crest-error.ts";
import { type Fetch, type FetchResponse, platform, type WebSocketClass } from "./platform.ts";

/** The token, or what gives it: called before each request and each reconnection, so that it can be renewed. */
export type Token = string | (() => string | Promise<string>);

export interface ServerOptions {
  /** Where the gateway is: `http://127.0.0.1:8585`, `https://node1.example/crest`. */
  readonly server: string | URL;
  /** Absent: the gateway knows the caller by the client certificate of the connection. */
  readonly token?: Token | undefined;
  /** Default: that of the platform. */
  readonly fetch?: Fetch | undefined;
  /** For sessions only. Default: that of the platform; Node before 22 has none. */
  readonly WebSocket?: WebSocketClass | undefined;
}

export interface CallOptions {
  /** Ends the call, whatever it is doing; it then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** More headers, such as `X-Request-Id`. `Accept` and `Authorization` are the client's own. */
  readonly headers?: { readonly [name: string]: string } | undefined;
}

/** Of operations that create something. */
export interface CreateOptions extends CallOptions {
  /**
   * Makes it safe to repeat the call after its answer was lost: a new key for each new call, such as
   * `crypto.randomUUID()`, and the same one for its retries.
   */
  readonly idempotencyKey?: string | undefined;
}

/** A request as the operations give it. */
export interface Call {
  readonly method: string;
  /** With its parameters filled in: `/v1/pods/3f32`. */
  readonly path: string;
  /** Parameters by name. Those that are undefined are left out, lists are repeated. */
  readonly query: object;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of a body that is a text in another format, which is sent as it is. */
  readonly contentType?: string | undefined;
}

/** How a request is sent. */
export interface SendOptions extends CreateOptions {
  readonly accept?: string;
}

export interface Server {
  /** The address without a slash at its end, for messages. */
  readonly address: string;
  readonly WebSocket: WebSocketClass | undefined;
  /** The token now; undefined if there is none. @throws {TypeError} if it has characters that no token has. */
  token(): Promise<string | undefined>;
  /** The address of a call. */
  urlOf(call: Pick<Call, "path" | "query">): URL;
  /** Sends a request. @throws {CrestError} for every answer that is no success. */
  send(call: Call, options?: SendOptions): Promise<FetchResponse>;
}

/** @throws {TypeError} for an address that is no URL of http or https, or has more than a host and a path. */
export function createServer({ server, token, fetch, WebSocket }: ServerOptions): Server {
  const base = addressOf(server);
  const address = base.href.replace(/\/$/, "");
  const ask = fetch ?? platform.fetch;
  if (ask === undefined) throw new TypeError("This platform has no fetch: pass one to createClient");

  async function currentToken(): Promise<string | undefined> {
    if (token === undefined) return undefined;
    const given = (typeof token === "string" ? token : await token()).trim();
    if (!/^[\x21-\x7e]+$/.test(given))
      throw new TypeError("The token must be printable ASCII without spaces, as in the gateway's token file");
    return given;
  }

  function urlOf({ path, query }: Pick<Call, "path" | "query">): URL {
    const url = new URL(address + path);
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue;
      for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
    }
    return url;
  }

  return {
    address,
    // Asked for when a session opens: Node loads its own only then.
    get WebSocket() {
      return WebSocket ?? platform.WebSocket;
    },
    token: currentToken,
    urlOf,
    async send(call, { signal, headers = {}, accept = "application/json", idempotencyKey } = {}) {
      signal?.throwIfAborted();
      const bearer = await currentToken();
      signal?.throwIfAborted();
      const response = await ask(urlOf(call).href, {
        method: call.method,
        headers: {
          ...lowerCased(headers),
          ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
          ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
          accept,
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        },
        redirect: "error",
        ...(call.body === undefined ? {} : { body: bodyOf(call) }),
        ...(signal === undefined ? {} : { signal }),
      }).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw new CrestError("connection_failed", `Cannot reach ${address}: ${reasonOf(error)}`, {
          cause: error,
        });
      });
      if (response.ok) return response;
      throw await refusalOf(response, signal);
    },
  };
}

/** As the API takes it. @throws {TypeError} for what is no text, and is not sent as JSON. */
function bodyOf({ body, contentType }: Call): string {
  if (contentType === undefined) return JSON.stringify(body);
  if (typeof body === "string") return body;
  throw new TypeError(`A body of ${contentType} must be a string`);
}

function addressOf(server: string | URL): URL {
  const url = URL.canParse(String(server)) ? new URL(String(server)) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new TypeError("The server must be a URL of http or https, such as http://127.0.0.1:8585");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new TypeError("The server's URL must have no user, query or fragment");
  return url;
}

/** So that `Accept` and `accept` are not two headers. */
function lowerCased(headers: { readonly [name: string]: string }): { [name: string]: string } {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** What a platform's error says. That of Node's `fetch` is in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error.cause instanceof Error)) return error.message;
  const { cause } = error;
  return cause.message === "" && "code" in cause ? String(cause.code) : cause.message;
}

/** The error for an answer that is no success. */
async function refusalOf(response: FetchResponse, signal: AbortSignal | undefined): Promise<CrestError> {
  const text = await response.text().catch(() => {
    signal?.throwIfAborted();
    return "";
  });
  return refusal(response.status, text, response.headers.get("retry-after") ?? "");
}

/** The error for a status and a body that should be a problem. */
export function refusal(status: number, text: string, retryAfter = ""): CrestError {
  const seconds = /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const problem = parseProblem(text);
  if (problem !== undefined) return errorOf(problem, seconds);
  const shown = text.trim().slice(0, 200);
  const detail = `The answer with status ${status} is none of Crest's${shown === "" ? "" : `: ${shown}`}`;
  return new CrestError("invalid_answer", detail, { status, retryAfter: seconds });
}

/** Reads an answer of JSON; its type is what the gateway's document promises. @throws {CrestError} connection_lost, invalid_answer */
export async function jsonOf<T>(response: FetchResponse, signal: AbortSignal | undefined): Promise<T> {
  const text = await response.text().catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new CrestError("connection_lost", `The answer was cut: ${reasonOf(error)}`, { cause: error });
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    const { status } = response;
    throw new CrestError("invalid_answer", "The answer is not JSON", { status, cause: error });
  }
}

/**
 * A value as one segment of a path.
 *
 * @throws {TypeError} if it would name another path: when it is empty, `.` or `..`, or no text.
 */
export function segment(name: string, value: string): string {
  if (typeof value !== "string" || value === "" || value === "." || value === "..")
    throw new TypeError(`${name} must be an id or a name, got ${JSON.stringify(value)}`);
  return encodeURIComponent(value);
}
