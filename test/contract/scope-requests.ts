/** Asks routes over a socket, in each form of their answers, also as a WebSocket. */
import { type IncomingHttpHeaders, request } from "node:http";
import { request as requestTls } from "node:https";
import type { Socket } from "node:net";
import { isSession, mediaTypes, mediaTypesOf, type Route } from "../../src/routes/define.ts";
import type { Certificate } from "../support/spdy-certificate.ts";
import type { Case } from "./table-cases.ts";
import { authorization as ofTables } from "./table-gateway.ts";

/** A media type, or a WebSocket. */
export type Form = ReturnType<typeof mediaTypesOf>[number] | "websocket";

/** Every form that a route has. */
export function formsOf(route: Route): readonly Form[] {
  if (isSession(route)) return ["websocket"];
  return route.kind === "stream" ? [...mediaTypesOf(route), "websocket"] : mediaTypesOf(route);
}

export interface SocketAnswer {
  /** 101 if the WebSocket opened. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of a stream that goes on, what came until it was left. */
  readonly text: string;
}

export interface Sending {
  readonly form: Form;
  readonly query?: string;
  /** Leaves an answer that lasts. Default: its end is awaited. */
  readonly until?: Promise<unknown>;
  /** Is told what has come so far. */
  readonly came?: (text: string) => void;
}

/** Where a gateway listens, and the header that it takes. */
export interface Place {
  readonly socketPath?: string;
  readonly port?: number;
  /** Default: that of the tests of the table. Null for none. */
  readonly authorization?: string | null;
  /** For TLS. */
  readonly client?: Certificate | undefined;
}

/** Sends a case. */
export function askOver(
  { authorization = ofTables, client, ...where }: Place,
  it: Pick<Case, "method" | "path" | "json">,
  { form, query = "", until, came }: Sending,
): Promise<SocketAnswer> {
  const path = `${it.path}${query}`;
  const body = it.json === undefined ? undefined : JSON.stringify(it.json);
  const headers = {
    host: "localhost",
    ...(authorization === null ? {} : { authorization }),
    ...(form === "websocket" ? upgrade : { accept: form }),
    ...(body === undefined
      ? {}
      : { "content-type": mediaTypes.json, "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const options = { ...where, method: it.method, path, headers, agent: false };
    const sent =
      client === undefined
        ? request(options)
        : requestTls({ ...options, ...client, rejectUnauthorized: false });
    let text = "";
    const read = (from: Socket | NodeJS.ReadableStream, answer: Omit<SocketAnswer, "text">): void => {
      const end = (): void => {
        resolve({ ...answer, text });
        sent.destroy();
      };
      from.on("data", (part: Buffer) => {
        text += part.toString();
        came?.(text);
      });
      from.on("end", end).on("close", end).on("error", end);
      void until?.then(end);
    };
    sent.on("upgrade", (response, socket, head) => {
      socket.unshift(head);
      read(socket, { status: 101, headers: response.headers });
    });
    sent.on("response", (response) =>
      read(response, { status: response.statusCode ?? 0, headers: response.headers }),
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const upgrade = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": Buffer.alloc(16).toString("base64"),
};
