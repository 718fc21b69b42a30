/**
 * Stands between a fuzzer and a gateway: what could hurt the machine is replaced, ids that are well-formed
 * become those of something that is there, and every answer is noted.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parse } from "yaml";
import { maxHeaderBytes } from "../../src/server/raw-response.ts";
import { operationAt } from "../support/document.ts";
import { type Harmless, harmless } from "./harmless-body.ts";

export interface GuardOptions extends Harmless {
  /** `http://127.0.0.1:PORT`. */
  readonly target: string;
  /** Ids that stay: of a pod, and of a running container in it. */
  readonly lasting: { readonly [kind in Kind]: string };
  /** References that may be pulled: a registry on this machine has them, or nobody is asked. */
  readonly pullable: readonly string[];
  /** The one image that may be removed. */
  readonly removable: string;
}

type Kind = "pods" | "containers";

const nobody = "f".repeat(64);

/** What came of one request. */
export interface Seen {
  /** `POST /v1/pods`, without the query. */
  readonly target: string;
  readonly status: number;
  readonly code: string | undefined;
  readonly body: string;
  readonly answer: string;
}

export interface Guard {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  readonly seen: readonly Seen[];
  close(): Promise<void>;
}

/** An id as the fuzzed document has it. */
const idInPath = /^\/v1\/(pods|containers)\/([0-9a-f]{16,64})(?=[/?]|$)/;
/** A shorter one may be the prefix of something that shall stay. */
const shortIdInPath = /^\/v1\/(pods|containers)\/[0-9a-f]{1,15}(?=[/?]|$)/;
const longestWaitSeconds = 0;

export async function startGuard(options: GuardOptions): Promise<Guard> {
  const { lasting, removable } = options;
  const { hostname, port } = new URL(options.target);
  const seen: Seen[] = [];
  /** What the fuzzer made, oldest first: requests that end something get these, and nothing else. */
  const made: { readonly [kind in Kind]: string[] } = { pods: [], containers: [] };

  function aimed(method: string, given: string): string {
    const url = given.replace(shortIdInPath, (_, kind: Kind) => `/v1/${kind}/${nobody}f`);
    if (method === "DELETE")
      return url
        .replace(/(?<=^\/v1\/images\/)[^?]+/, removable)
        .replace(idInPath, (_, kind: Kind) => `/v1/${kind}/${made[kind].shift() ?? nobody}`);
    const ends = method === "POST" && /^[^?]*\/stop(\?|$)/.test(url);
    return (
      url
        .replace(
          idInPath,
          (_, kind: Kind) => `/v1/${kind}/${ends ? (made[kind][0] ?? nobody) : lasting[kind]}`,
        )
        // What is out of range stays so: it is to be refused.
        .replace(/(?<=[?&]timeout=)\d{1,4}(?=&|$)/, (seconds) =>
          Number(seconds) > 3600 ? seconds : String(Math.min(Number(seconds), longestWaitSeconds)),
        )
        // Of usage: the time between the two readings of an answer.
        .replace(/(?<=[?&]interval=)(\d+s|1m)(?=&|$)/, "1s")
        .replace(/(?<=\/watch)\??(?=[^?]*$)(?!.*interval=)/, "?interval=1s&")
        // Following has no end.
        .replace(/(?<=[?&])follow(=(1|[tT]|TRUE|[tT]rue)?)?(?=&|$)/g, "follow=false")
        // The default is a minute.
        .replace(/(?<=\/wait)\??(?=[^?]*$)(?!.*timeout=)/, `?timeout=${longestWaitSeconds}&`)
        .replace(/&$/, "")
    );
  }

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = "GET", url = "/" } = incoming;
    const images = url.startsWith("/v1/images/pull") ? options.pullable : options.images;
    const isYaml = /yaml/i.test(incoming.headers["content-type"] ?? "");
    const body = harmlessBytes(await bytesOf(incoming), { ...options, images, isYaml });
    const headers = { ...incoming.headers, host: `${hostname}:${port}`, connection: "close" };
    if (headers["content-length"] !== undefined) headers["content-length"] = String(body.length);
    const path = strict(method, aimed(method, url));
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ hostname, port, method, path, headers, agent: false }, resolve);
      sent.on("error", reject);
      outgoing.on("close", () => sent.destroy());
      sent.end(body);
    });
    const bytes = await bytesOf(answer);
    const text = bytes.toString("utf8");
    const [, kind, id] = /^\/v1\/(pods|containers)\/(\w+)$/.exec(answer.headers.location ?? "") ?? [];
    if ((kind === "pods" || kind === "containers") && id !== undefined) made[kind].push(id);
    seen.push({
      target: `${method} ${path.replace(/\?.*/s, "")}`,
      status: answer.statusCode ?? 0,
      code: /"code":"(\w+)"/.exec(text)?.[1],
      body: body.toString("utf8"),
      answer: text,
    });
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    outgoing.end(bytes);
  }

  const server = createServer({ maxHeaderSize: maxHeaderBytes }, (incoming, outgoing) => {
    // A fuzzer that gives up on a request learns nothing more; one that waits sees the connection break.
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Names in snake_case alone would make a body one of crictl's files, of which unknown fields are left out. */
function strict(method: string, url: string): string {
  const [path = "", query] = url.split("?");
  const takesBody = operationAt(method, path)?.parameters?.some(({ name }) => name === "fieldValidation");
  return takesBody ? `${path}?${query === undefined ? "" : `${query}&`}fieldValidation=Strict` : url;
}

/** What is neither JSON nor YAML goes on as it is: the gateway takes none of it. */
function harmlessBytes(
  bytes: Buffer,
  { isYaml, ...options }: Harmless & { readonly isYaml: boolean },
): Buffer {
  let value: unknown;
  try {
    value = isYaml ? parse(bytes.toString("utf8")) : JSON.parse(bytes.toString("utf8"));
  } catch {
    return bytes;
  }
  return Buffer.from(JSON.stringify(harmless(value, options)));
}
