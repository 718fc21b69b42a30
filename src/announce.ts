/** Reports to the terminal and the service manager that a gateway is ready, or what it is waiting for. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "./cri/channel.ts";
import { checkRuntime, type RuntimeCheck } from "./runtimes/runtime-check.ts";
import type { Notify } from "./service-manager.ts";

export interface AnnouncedTexts {
  /** Text for a gateway that is ready. `runtime` is the runtime's name, version and socket. */
  readonly ready: (runtime: string) => string;
  /** Text for a gateway that is not ready because of `trouble` with the runtime. */
  readonly waiting: (trouble: string) => string;
}

export interface AnnounceOptions extends AnnouncedTexts {
  readonly runtime: Runtime;
  /** The address that the gateway listens on. */
  readonly address: string;
  /** Prints to the user's terminal. */
  readonly say: (text: string) => void;
  readonly notify: Notify;
  /** Milliseconds between two checks of a runtime that does not answer. Default: 500. */
  readonly everyMs?: number;
}

/**
 * Announces that the gateway is ready if its runtime answers. Otherwise says what is wrong and how to fix it, and
 * announces readiness once the runtime answers. Settles after the first message; `close` stops the checks.
 *
 * In both cases the service manager gets READY, which means that startup is over. Without it, systemd would stop the
 * service after 90 s, delay the units ordered after it, and keep the clients of its socket waiting, when a 503 would
 * serve them better. STATUS, and /readyz for probes, show whether the runtime answers.
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

/** Checks until the runtime answers or `signal` aborts. */
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

/** The `waiting` text for a terminal. */
export const waitingText = (address: string, trouble: string): string =>
  `Crest listens at ${address}, but its runtime does not answer yet\n  runtime  ${trouble}\n\nUntil it does, requests are answered with 503. Waiting for it.`;

const statusOf = (address: string, check: RuntimeCheck): string =>
  check.answers
    ? `STATUS=Serves ${address} in front of ${check.name}`
    : `STATUS=Listens at ${address}, waits for the runtime: ${check.trouble}`;
