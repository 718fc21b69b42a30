/**
 * Replaces Go's zero time in replies.
 *
 * If a runtime converts a `time.Time` that was never set to nanoseconds since 1970, it overflows to
 * -6795364578871345152. cri-dockerd does this. CRI omits such a time, which reads as 0.
 *
 * Works on the wire, where such a time takes ten bytes after its tag: searching a reply for it costs next to nothing,
 * and creates no objects.
 */

import { fieldsOf } from "../cri/codec.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "./compose.ts";
import { mapReplies } from "./map-replies.ts";

/** The overflowed time as a varint. In UTF-8 its first byte cannot follow a tag, so no text contains both. */
const zeroTime = Buffer.from("8080e8e8b3fd80d9a101", "hex");
/** 0 as a varint of the same length. */
const zero = Buffer.from("80808080808080808000", "hex");
/** The names of all time fields in CRI. */
const timeNames: ReadonlySet<string> = new Set(["createdAt", "startedAt", "finishedAt", "timestamp"]);

/** Makes a runtime return 0 for times that were never set, in calls and streams. */
export const withoutZeroTimes: Interceptor = only(
  (_rule, rpc) => timeTags(methods[rpc].response).size > 0,
  (below) => mapReplies(below, clearZeroTimes),
);

/** Replaces such times with 0 in place, and returns the same buffer. */
function clearZeroTimes(rpc: Rpc, reply: Buffer): Buffer {
  const tags = timeTags(methods[rpc].response);
  for (let at = reply.indexOf(zeroTime); at !== -1; at = reply.indexOf(zeroTime, at + zeroTime.length)) {
    if (tags.has(reply[at - 1] ?? 0)) zero.copy(reply, at);
  }
  return reply;
}

const tagsOf = new Map<string, ReadonlySet<number>>();

/** The tags of the time fields in a message and its nested messages; all of them are one byte long. */
function timeTags(message: string): ReadonlySet<number> {
  const known = tagsOf.get(message);
  if (known !== undefined) return known;
  const tags = new Set<number>();
  for (const field of fieldsOf(message)) {
    if (field.kind === "message") for (const tag of timeTags(field.type)) tags.add(tag);
    else if (timeNames.has(field.name)) tags.add(field.number << 3);
  }
  tagsOf.set(message, tags);
  return tags;
}
