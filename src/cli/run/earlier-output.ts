/** What a container in a terminal wrote before the terminal was attached. */
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "../../client/index.ts";
import { type Output, write } from "../terminal.ts";

/**
 * What the log has and `attached`, the output since, does not repeat. The log has whole lines only: a prompt is not in it.
 *
 * @param log The log so far, from its beginning.
 */
export function withoutOverlap(log: Uint8Array, attached: Uint8Array): Uint8Array {
  for (let length = Math.min(log.length, attached.length); length > 0; length--) {
    const end = log.subarray(log.length - length);
    if (end.every((byte, index) => byte === attached[index])) return log.subarray(0, log.length - length);
  }
  return log;
}

/** The log so far, as bytes; none if the caller may not read it. */
export async function readLog(crest: Client, containerId: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const path = `/v1/containers/${encodeURIComponent(containerId)}/logs` as const;
    const response = await crest.request("GET", path, { headers: { accept: "text/plain" }, signal });
    return new TextEncoder().encode(await response.text());
  } catch {
    signal.throwIfAborted();
    return new Uint8Array();
  }
}

/** How long the terminal may take to repeat what the log has, in milliseconds. */
const overlapMs = 150;

export interface WriteFromOptions {
  readonly stdout: Output;
  /** Called when the earlier output is written. */
  readonly caughtUp: () => void;
}

/** Writes the earlier output, then that of the session as it comes. */
export async function writeFrom(
  log: Promise<Uint8Array>,
  output: AsyncIterable<Uint8Array>,
  { stdout, caughtUp }: WriteFromOptions,
): Promise<void> {
  const reader = output[Symbol.asyncIterator]();
  const early: Uint8Array[] = [];
  const late = log.then(async () => {
    await delay(overlapMs);
    return "late" as const;
  });
  let next = reader.next();
  for (
    let step = await Promise.race([next, late]);
    step !== "late";
    step = await Promise.race([next, late])
  ) {
    if (step.done === true) break;
    early.push(step.value);
    next = reader.next();
  }
  // A failure is also that of the loop below.
  next.catch(() => undefined);
  const attached = Buffer.concat(early);
  await write(stdout, withoutOverlap(await log, attached));
  if (attached.length > 0) await write(stdout, attached);
  caughtUp();
  for (let step = await next; step.done !== true; step = await reader.next()) await write(stdout, step.value);
}
