/** How each item of a stream route is written over HTTP. */
import type { StreamForm } from "../routes/define.ts";

/** A format that writes one piece of the body per item. */
export interface StreamFormat {
  readonly mediaType: string;
  /** `id` is set if a client can resume after this item. */
  item(item: object, id?: string): string;
  /** Sent in place of the missing items. */
  error(problem: object): string;
  /** Sent while idle, so that proxies keep the connection. Absent where clients would read it as an item. */
  readonly heartbeat?: string;
}

export const ndjson: StreamFormat = {
  mediaType: "application/x-ndjson",
  item: (item) => `${JSON.stringify(item)}\n`,
  error: (problem) => `${JSON.stringify({ error: problem })}\n`,
};

/** Source: the HTML standard, server-sent events. */
export const sse: StreamFormat = {
  mediaType: "text/event-stream",
  item: (item, id) => `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(item)}\n\n`,
  error: (problem) => `event: error\ndata: ${JSON.stringify(problem)}\n\n`,
  heartbeat: ":\n\n",
};

const text = (lineOf: (item: object) => string | undefined): StreamFormat => ({
  mediaType: "text/plain",
  item(item) {
    const line = lineOf(item);
    return line === undefined ? "" : `${line}\n`;
  },
  error: (problem) => `${JSON.stringify({ error: problem })}\n`,
});

/** `lineOf` writes an item as a line of text; undefined for an item that the text format skips. */
export function streamFormat(
  form: Exclude<StreamForm, "json" | "websocket">,
  lineOf: (item: object) => string | undefined,
): StreamFormat {
  switch (form) {
    case "ndjson":
      return ndjson;
    case "sse":
      return sse;
    case "text":
      return text(lineOf);
  }
}
