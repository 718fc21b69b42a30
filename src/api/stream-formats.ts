/** How each item of a stream route is written over HTTP. */
import { mediaTypes, type StreamForm } from "../routes/define.ts";

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

type AnswerOf = (item: object) => object;

const ndjson = (answerOf: AnswerOf): StreamFormat => ({
  mediaType: mediaTypes.ndjson,
  item: (item) => `${JSON.stringify(answerOf(item))}\n`,
  error: (problem) => `${JSON.stringify({ error: problem })}\n`,
});

/** Source: the HTML standard, server-sent events. */
const sse = (answerOf: AnswerOf): StreamFormat => ({
  mediaType: mediaTypes.sse,
  item: (item, id) => `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(answerOf(item))}\n\n`,
  error: (problem) => `event: error\ndata: ${JSON.stringify(problem)}\n\n`,
  heartbeat: ":\n\n",
});

const text = (lineOf: (item: object) => string | undefined): StreamFormat => ({
  mediaType: mediaTypes.text,
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
