/** How the items of a stream route are written over HTTP, one text for each. */
import type { StreamForm } from "../routes/define.ts";

/** A form of which each item is a piece of the body. */
export interface StreamFormat {
  readonly mediaType: string;
  /** `id`: of an item that a client may continue behind. */
  item(item: object, id?: string): string;
  /** What is sent in place of the items that are missing. */
  error(problem: object): string;
  /** Sent while there is no item, so that proxies keep the connection; absent where readers would take it for one. */
  readonly heartbeat?: string;
}

type AnswerOf = (item: object) => object;

const ndjson = (answerOf: AnswerOf): StreamFormat => ({
  mediaType: "application/x-ndjson",
  item: (item) => `${JSON.stringify(answerOf(item))}\n`,
  error: (problem) => `${JSON.stringify({ error: problem })}\n`,
});

/** Source: the HTML standard, server-sent events. */
const sse = (answerOf: AnswerOf): StreamFormat => ({
  mediaType: "text/event-stream",
  item: (item, id) => `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(answerOf(item))}\n\n`,
  error: (problem) => `event: error\ndata: ${JSON.stringify(problem)}\n\n`,
  heartbeat: ":\n\n",
});

const text = (lineOf: (item: object) => string | undefined): StreamFormat => ({
  mediaType: "text/plain",
  item(item) {
    const line = lineOf(item);
    return line === undefined ? "" : `${line}\n`;
  },
  error: (problem) => `${JSON.stringify({ error: problem })}\n`,
});

/**
 * `lineOf` writes an item as a line of text, or returns undefined for an item that has no place in text; `answerOf` gives
 * what is written of it as JSON. Default: the item.
 */
export function streamFormat(
  form: Exclude<StreamForm, "json" | "websocket">,
  lineOf: (item: object) => string | undefined,
  answerOf: AnswerOf = (item) => item,
): StreamFormat {
  switch (form) {
    case "ndjson":
      return ndjson(answerOf);
    case "sse":
      return sse(answerOf);
    case "text":
      return text(lineOf);
  }
}
