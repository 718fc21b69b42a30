/**
 * Go's zero time in replies.
 *
 * A runtime that writes a `time.Time` which was never set, in nanoseconds since 1970, overflows:
 * -6795364578871345152. cri-dockerd does so. CRI leaves such a time out, which reads as 0.
 *
 * Works on the wire, where such a time is ten bytes long after its tag: searching a reply for them costs next to
 * nothing, and no object is made.
 */

import type { Runtime } from "../cri/channel.ts";
import { fieldsOf } from "../cri/codec.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import { mapReplies } from "./map-replies.ts";

/** The overflowed time as a varint. In UTF-8 its first byte cannot follow a tag, so no text holds both. */
const zeroTime = Buffer.from("8080e8e8b3fd80d9a101", "hex");
/** 0 as a varint of the same length. */
const zero = Buffer.from("80808080808080808000", "hex");
/** Every time in CRI has one of these names. */
const timeNames: ReadonlySet<string> = new Set(["createdAt", "startedAt", "finishedAt", "timestamp"]);

/** A runtime that answers 0 for a time that was never set, in calls and in streams. */
export function withoutZeroTimes(runtime: Runtime): Runtime {
  return mapReplies(runtime, clearZeroTimes);
}

/** The reply with 0 for such times: the same bytes, changed in place. */
function clearZeroTimes(rpc: Rpc, reply: Buffer): Buffer {
  const tags = timeTags(methods[rpc].response);
  if (tags.size === 0) return reply;
  for (let at = reply.indexOf(zeroTime); at !== -1; at = reply.indexOf(zeroTime, at + zeroTime.length)) {
    if (tags.has(reply[at - 1] ?? 0)) zero.copy(reply, at);
  }
  return reply;
}

const tagsOf = new Map<string, ReadonlySet<number>>();

/** The tags of the times in a message and in those that it holds; all of them are one byte long. */
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
