/** Takes a streamed body apart into its items. */

/** Forms whose items are shown as they come. */
export const streamedTypes = ["application/x-ndjson", "text/event-stream", "text/plain"];

/**
 * The items of a body, those that came together in one list: lines of JSON, or lines of text. The data of a server-sent
 * event is such a line too, and heartbeats are left out.
 *
 * @param {ReadableStream<BufferSource>} body
 * @param {string} mediaType One of `streamedTypes`.
 * @returns {AsyncGenerator<string[]>}
 */
export async function* itemsOf(body, mediaType) {
  const isEvents = mediaType === "text/event-stream";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split(isEvents ? "\n\n" : "\n");
    rest = parts.pop() ?? "";
    yield isEvents ? parts.flatMap(dataOf) : parts;
  }
  // Text that ends without a newline.
  if (rest !== "") yield [rest];
}

/**
 * @param {string} event
 * @returns {string[]} Nothing for a comment, which is a heartbeat.
 */
function dataOf(event) {
  const [, data] = /^data: (.*)$/m.exec(event) ?? [];
  if (data === undefined) return [];
  return [event.startsWith("event: error\n") ? `{"error":${data}}` : data];
}

/**
 * The last of many texts, within two limits.
 *
 * @template {string} Text
 * @param {readonly Text[]} texts
 * @param {{ maxItems: number, maxCharacters: number }} limits
 * @returns {Text[]} At least one, if there is one.
 */
export function lastOf(texts, { maxItems, maxCharacters }) {
  let first = texts.length;
  let characters = 0;
  while (first > 0 && texts.length - first < maxItems) {
    characters += texts[first - 1]?.length ?? 0;
    if (characters > maxCharacters && first < texts.length) break;
    first -= 1;
  }
  return texts.slice(first);
}
