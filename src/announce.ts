/** Tells the terminal and the service manager that a gateway is ready, or what it still waits for. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "./cri/channel.ts";
import { checkRuntime, type RuntimeCheck } from "./runtimes/runtime-check.ts";
import type { Notify } from "./service-manager.ts";

export interface AnnouncedTexts {
  /** What to say when the gateway is ready; `runtime` is the runtime's name, version and socket. */
  readonly ready: (runtime: string) => string;
  /** What to say when it is not, because of `trouble` with the runtime. */
  readonly waiting: (trouble: string) => string;
}

export interface AnnounceOptions extends AnnouncedTexts {
  readonly runtime: Runtime;
  /** Where the gateway listens. */
  readonly address: string;
  /** Prints for the person at the terminal. */
  readonly say: (text: string) => void;
  readonly notify: Notify;
  /** Milliseconds between two looks at a runtime that does not answer; default 500. */
  readonly everyMs?: number;
}

/**
 * Says that the gateway is ready, if its runtime answers; else what is wrong and how to mend it, and later that it is
 * ready. Settles when the first of these is said; `close` ends the waiting.
 *
 * The service manager is told READY in either case. READY means that the start is over: systemd would stop a service
 * that does not say it within 90 s, hold up whatever is ordered behind it, and keep its socket's clients waiting, who
 * are better off with a 503. Whether the runtime answers is in STATUS, and in /readyz for probes.
 */
export async function announce(options: AnnounceOptions): Promise<{ close(): void }> {
  const { runtime, address, notify } = options;
  const waiting = new AbortController();
  const first = await checkRuntime(runtime);
  if (first.answers) options.say(options.ready(first.name));
  else options.say(options.waiting(first.trouble));
  await notify("READY=1", statusOf(address, first));
  if (!first.answers) void waitForRuntime(options, first.trouble, waiting.signal);
  return { close: () => waiting.abort() };
}

/** Until the runtime answers, or the waiting is ended. */
async function waitForRuntime(options: AnnounceOptions, trouble: string, signal: AbortSignal): Promise<void> {
  const { runtime, address, say, notify, ready, everyMs = 500 } = options;
  let said = trouble;
  while (!signal.aborted) {
    const check = await checkRuntime(runtime);
    if (signal.aborted) return;
    if (check.answers) say(ready(check.name));
    else if (check.trouble !== said) say(`Still waiting: ${check.trouble}`);
    if (check.answers || check.trouble !== said) await notify(statusOf(address, check));
    if (check.answers) return;
    said = check.trouble;
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** For a terminal. */
export const waitingText = (address: string, trouble: string): string =>
  `Crest listens at ${address}, but its runtime does not answer yet\n  runtime  ${trouble}\n\nUntil it does, requests are answered with 503. Waiting for it.`;

const statusOf = (address: string, check: RuntimeCheck): string =>
  check.answers
    ? `STATUS=Serves ${address} in front of ${check.name}`
    : `STATUS=Listens at ${address}, waits for the runtime: ${check.trouble}`;
