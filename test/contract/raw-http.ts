/** HTTP/1.1 as bytes: requests that no client library would send, and answers as they came. */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type RawRequestOptions, rawRequest } from "../support/raw-request.ts";
import { type LiveGateway, token } from "./live-gateway.ts";

export interface RawAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: { readonly [name: string]: string | undefined };
  readonly body: string;
}

/** The header lines of a good request: `Host` and the token. */
export function goodHeaders({ port }: Pick<LiveGateway, "port">): string {
  return `Host: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n`;
}

/** A whole request: the start line, good headers, more header lines (`A: b`), a body with its length. */
export function requestText(
  gateway: Pick<LiveGateway, "port">,
  start: string,
  { headers = [], body }: { readonly headers?: readonly string[]; readonly body?: string } = {},
): string {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const lines = [...headers, ...length].map((line) => `${line}\r\n`).join("");
  return `${start} HTTP/1.1\r\n${goodHeaders(gateway)}${lines}\r\n${body ?? ""}`;
}

/** Sends bytes and gives every answer that comes until the gateway closes, or `count` of them have come. */
export async function rawAnswers(
  { port }: Pick<LiveGateway, "port">,
  bytes: string | Uint8Array,
  { count, ...options }: Omit<RawRequestOptions, "until"> & { readonly count?: number } = {},
): Promise<readonly RawAnswer[]> {
  const whole = count === undefined ? {} : { until: (came: Buffer) => parse(came).length >= count };
  return parse(await rawRequest(port, bytes, { ...options, ...whole }));
}

/** As `rawAnswers`, for the one answer that is expected. */
export async function rawAnswer(
  gateway: Pick<LiveGateway, "port">,
  bytes: string | Uint8Array,
  options: Omit<RawRequestOptions, "until"> = {},
): Promise<RawAnswer> {
  const [answer] = await rawAnswers(gateway, bytes, { ...options, count: 1 });
  assert.ok(answer, "no answer came");
  return answer;
}

/** Holds an answer to being a problem, and gives its members. */
export function problemIn(
  answer: RawAnswer,
  { status, code }: { readonly status: number; readonly code: string },
): { readonly [member: string]: unknown } {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const problem = JSON.parse(answer.body) as { readonly [member: string]: unknown };
  assert.equal(problem.status, status);
  assert.equal(problem.code, code);
  assert.equal(problem.type, `/docs/problems#${code}`);
  assert.equal(problem.requestId, answer.headers["x-request-id"]);
  return problem;
}

/** A connection that sends a request and goes no further by itself. */
export function begin({ port }: Pick<LiveGateway, "port">, bytes: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      // What the gateway does to it later is not asked here.
      socket.on("error", () => undefined);
      socket.write(bytes);
      resolve(socket);
    });
  });
}

/** The whole answers at the beginning of what came. Interim ones (100) count; a HEAD's must be the last. */
function parse(came: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = came.toString("latin1");
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    if (end === -1) return answers;
    const [first = "", ...lines] = rest.slice(0, end).split("\r\n");
    const headers = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(":")).toLowerCase(),
        line.slice(line.indexOf(":") + 1).trim(),
      ]),
    );
    const status = Number(first.split(" ")[1]);
    const behind = rest.slice(end + 4);
    const body = status < 200 || status === 204 ? { text: "", length: 0 } : bodyOf(headers, behind);
    if (body === undefined) return answers;
    answers.push({ status, headers, body: Buffer.from(body.text, "latin1").toString("utf8") });
    rest = behind.slice(body.length);
  }
}

/** The body and how much of the text it takes; undefined while it has not come whole. */
function bodyOf(
  headers: { readonly [name: string]: string },
  text: string,
): { readonly text: string; readonly length: number } | undefined {
  if (headers["transfer-encoding"] !== "chunked") {
    const length = Number(headers["content-length"] ?? 0);
    return text.length < length ? undefined : { text: text.slice(0, length), length };
  }
  let body = "";
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const start = lineEnd + 2;
    if (text.length < start + size + 2) return undefined;
    if (size === 0) return { text: body, length: start + 2 };
    body += text.slice(start, start + size);
    at = start + size + 2;
  }
}
