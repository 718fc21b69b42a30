/**
 * cri-dockerd writes a time that has not come yet as the zero of Go's time.Time in nanoseconds since 1970,
 * which overflows: -6795364578871345152. CRI's own way is to leave it out, which reads as 0.
 *
 * Works on the wire, where such a time is twelve bytes long: searching them costs a reply of another runtime
 * next to nothing, and no object is made.
 */
import type { Rpc } from "../gen/methods.ts";

/** The overflowed time as a varint. Its first byte cannot follow a tag in text, which is UTF-8: no string holds both. */
const zeroTime = Buffer.from("8080e8e8b3fd80d9a101", "hex");
/** 0 as a varint of the same length. */
const zero = Buffer.from("80808080808080808000", "hex");
/** Tags of `started_at` and `finished_at` in ContainerStatus. */
const timeTags: ReadonlySet<number> = new Set([5 << 3, 6 << 3]);

/** The reply with 0 for such times: the same bytes, changed in place. Only ContainerStatus has them. */
export function withoutZeroTimes(rpc: Rpc, reply: Uint8Array): Uint8Array {
  if (rpc !== "RuntimeService/ContainerStatus") return reply;
  const bytes = Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  for (let at = bytes.indexOf(zeroTime); at !== -1; at = bytes.indexOf(zeroTime, at + zeroTime.length)) {
    if (timeTags.has(bytes[at - 1] ?? 0)) zero.copy(bytes, at);
  }
  return reply;
}
