/**
 * Sends audit events to a server as `EventList`, several at a time, in order.
 *
 * Nothing waits for it: what does not fit into its queue is dropped and counted. A batch is sent again until the server
 * takes it, unless the server says that it never will.
 */
import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf } from "../files/trusted-path.ts";

export interface WebhookOptions {
  readonly url: string;
  /** Reads the token for `Authorization: Bearer`, before each batch, so that it can be renewed. Default: none. */
  readonly readToken?: (() => Promise<string>) | undefined;
  /** Reports what an operator should know, at most once a minute. */
  readonly warn: (message: string) => void;
  readonly limits?: Partial<WebhookLimits>;
}

export interface WebhookLimits {
  /** Events that may wait, and their bytes. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** The most events of a batch. */
  readonly batchEvents: number;
  /** How long an event may wait for others, in milliseconds. */
  readonly gatherMs: number;
  /** Pause before a batch is sent again; doubled each time up to the longest. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
  /** How long the server may take to answer. */
  readonly answerMs: number;
  /** How long the end of the gateway may wait for the last batches. */
  readonly closeMs: number;
}

const usual: WebhookLimits = {
  maxEvents: 10_000,
  maxBytes: 16 * 2 ** 20,
  batchEvents: 400,
  gatherMs: 500,
  retryMs: 500,
  maxRetryMs: 30_000,
  answerMs: 10_000,
  closeMs: 2000,
};

export interface Webhook {
  /** Takes an event as a line of JSON. Never fails. */
  send(line: string): void;
  readonly counts: WebhookCounts;
  /** Sends what waits, within `closeMs`. */
  close(): Promise<void>;
}

export interface WebhookCounts {
  readonly waiting: number;
  readonly sent: number;
  readonly dropped: number;
}

/** The server cannot read the batch, and will not the next time. */
const refusesForGood: ReadonlySet<number> = new Set([400, 413, 415, 422]);
const warnMs = 60_000;

export function createWebhook({ url, readToken, warn, ...options }: WebhookOptions): Webhook {
  const limits = { ...usual, ...options.limits };
  const { origin } = new URL(url);
  const post = createPost(url, limits.answerMs);
  const stopping = new AbortController();
  const counts = { waiting: 0, sent: 0, dropped: 0 };
  let waiting: string[] = [];
  let waitingBytes = 0;
  let working: Promise<void> | undefined;
  let warnedAt = Number.NEGATIVE_INFINITY;
  let untold = 0;

  function tell(why: string): void {
    if (performance.now() - warnedAt < warnMs) return;
    warnedAt = performance.now();
    const lost = untold === 0 ? "" : `; ${untold} were dropped`;
    untold = 0;
    warn(`Cannot send audit events to ${origin}: ${why}; ${counts.waiting} wait${lost}`);
  }

  function drop(events: number, why: string): void {
    counts.dropped += events;
    untold += events;
    tell(why);
  }

  async function work(): Promise<void> {
    await pause(limits.gatherMs);
    while (waiting.length > 0) {
      const batch = waiting.slice(0, limits.batchEvents);
      if (!(await sendBatch(batch))) return;
      waiting = waiting.slice(batch.length);
      waitingBytes -= batch.reduce((sum, line) => sum + line.length, 0);
      counts.waiting = waiting.length;
    }
  }

  /** Returns false if the gateway ended before the server took the batch. */
  async function sendBatch(batch: readonly string[]): Promise<boolean> {
    const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${batch.join(",")}]}`;
    for (let retryMs = limits.retryMs; ; retryMs = Math.min(retryMs * 2, limits.maxRetryMs)) {
      const isLast = stopping.signal.aborted;
      try {
        const status = await post(body, await readToken?.());
        if (status >= 200 && status < 300) {
          counts.sent += batch.length;
          return true;
        }
        if (refusesForGood.has(status)) {
          drop(batch.length, `it answers ${status} to a batch, which is dropped`);
          return true;
        }
        tell(`it answers ${status}`);
      } catch (error) {
        tell(reasonOf(error));
      }
      if (isLast) return false;
      // Several gateways must not come back at the same moment.
      await pause(retryMs * (0.5 + Math.random() / 2));
    }
  }

  const pause = (ms: number): Promise<void> =>
    sleep(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);

  return {
    counts,
    send(line) {
      if (waiting.length >= limits.maxEvents || waitingBytes + line.length > limits.maxBytes) {
        drop(1, "its queue is full");
        return;
      }
      waiting.push(line);
      waitingBytes += line.length;
      counts.waiting = waiting.length;
      if (stopping.signal.aborted) return;
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    async close() {
      stopping.abort();
      const last = working ?? (waiting.length > 0 ? work() : Promise.resolve());
      await Promise.race([last, sleep(limits.closeMs, undefined, { ref: false })]);
      if (waiting.length > 0) {
        warnedAt = Number.NEGATIVE_INFINITY;
        drop(waiting.length, "the gateway ended");
      }
    },
  };
}

/** Returns a function that posts a body and returns the status. It follows no redirect, which would get the token. */
function createPost(url: string, answerMs: number) {
  const isTls = url.startsWith("https:");
  const agent = isTls
    ? new HttpsAgent({ keepAlive: true, maxSockets: 1 })
    : new HttpAgent({ keepAlive: true, maxSockets: 1 });
  const request = isTls ? httpsRequest : httpRequest;
  return (body: string, token: string | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      // Otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would disable verification.
      const tls = isTls ? { rejectUnauthorized: true } : {};
      const signal = AbortSignal.timeout(answerMs);
      const sent = request(url, { method: "POST", agent, headers, signal, ...tls }, (response) => {
        response.once("error", reject);
        response.once("end", () => resolve(response.statusCode ?? 0));
        response.resume();
      });
      sent.once("error", (error) => reject(signal.aborted ? new Error("it does not answer") : error));
      sent.end(body);
    });
}
