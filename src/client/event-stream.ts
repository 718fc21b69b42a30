/**
 * Reads server-sent events. The client follows streams in this form because it has heartbeats, which show that an idle
 * connection still works, and an id with each event to resume after.
 *
 * Source: the HTML standard, server-sent events.
 */
import { CrestError } from "./crest-error.ts";
import type { BodyReader } from "./platform.ts";
import { reasonOf } from "./server.ts";

export interface ServerEvent {
  /** `message` if it has no other name. */
  readonly type: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** The gateway sends something every 15 seconds. After three times that, the connection counts as lost. */
const silenceMs = 45_000;
/** An event of more characters is refused, so that nothing grows without bound. */
const maxEventLength = 64 * 1024 * 1024;

/**
 * The events of a body. Reads on only when the next one is asked for. Leaving closes the body.
 *
 * @throws {CrestError} connection_lost: when the body is cut, also in the middle of an event, or silent for 45 seconds.
 */
export async function* readEvents(reader: BodyReader): AsyncGenerator<ServerEvent, void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await within(silenceMs, reader.read());
      if (done) break;
      // The end of an event may have come in two pieces.
      let searched = Math.max(0, text.length - 1);
      text += decoder.decode(value, { stream: true });
      let start = 0;
      for (;;) {
        const end = text.indexOf("\n\n", searched);
        if (end === -1) break;
        const event = parseEvent(text.slice(start, end));
        start = end + 2;
        searched = start;
        if (event !== undefined) yield event;
      }
      text = text.slice(start);
      if (text.length > maxEventLength)
        throw new CrestError("invalid_answer", `An event is longer than ${maxEventLength} characters`);
    }
  } finally {
    // A body that was cut has nothing left to close.
    await reader.cancel().catch(() => undefined);
  }
  if (text !== "") throw new CrestError("connection_lost", "The connection ended in the middle of an event");
}

/** The event in a block of lines; undefined for one without data, such as a heartbeat. */
function parseEvent(block: string): ServerEvent | undefined {
  let type = "message";
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") data.push(value);
    else if (name === "id") id = value;
    else if (name === "event") type = value;
  }
  return data.length === 0 ? undefined : { type, data: data.join("\n"), id };
}

/** What `promise` gives. @throws {CrestError} connection_lost: if it fails or takes longer. */
function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const lost = (why: string, cause?: unknown): void =>
      reject(new CrestError("connection_lost", `The connection was lost: ${why}`, { cause }));
    const timer = setTimeout(() => lost(`nothing came for ${limitMs} ms`), limitMs);
    promise
      .then(resolve, (error: unknown) => lost(reasonOf(error), error))
      .finally(() => clearTimeout(timer));
  });
}
