/** Where audit events go: a file, which must take them, and a server, which may get them later. */
import { GatewayError, StartError } from "../errors.ts";
import { checkSecret, readAgain, readTrustedFile } from "../files/trusted-file.ts";
import { reasonOf } from "../files/trusted-path.ts";
import type { LogEntry } from "../server/log-entry.ts";
import { type AuditFile, type AuditFileLimits, openAuditFile } from "./audit-file.ts";
import { type AuditEvent, type AuditedRequest, auditLine } from "./event.ts";
import { createWebhook, type Webhook, type WebhookCounts, type WebhookLimits } from "./webhook.ts";

/** `changes`: what changes or looks into a pod, and refusals. `all`: every request with a token, too. */
export type AuditLevel = "changes" | "all";

export interface Audit {
  readonly level: AuditLevel;
  /**
   * Records a decision before it takes effect.
   *
   * @throws {GatewayError} audit_failed: when the line cannot be written. The request must then be refused.
   */
  record(request: AuditedRequest, event: AuditEvent): void;
  /** Records what has happened already. Never fails: a line that cannot be written is counted and logged. */
  note(request: AuditedRequest, event: AuditEvent): void;
  readonly counts: AuditCounts;
  close(): Promise<void>;
}

export interface AuditCounts {
  /** Events, by whether they could be written. */
  readonly recorded: number;
  readonly failed: number;
  /** Absent without a webhook. */
  readonly webhook?: WebhookCounts | undefined;
}

export interface AuditOptions extends AuditFileLimits {
  readonly auditLevel: AuditLevel;
  readonly auditFile?: string | undefined;
  readonly auditWebhook?: string | undefined;
  /** Holds the token for the webhook. Read again for each batch. */
  readonly auditWebhookTokenFile?: string | undefined;
}

/** What comes from the process, or from a test. */
export interface AuditSurroundings {
  readonly log: (entry: LogEntry) => void;
  readonly webhookLimits?: Partial<WebhookLimits>;
}

/** Minimum time between two log entries about lines that cannot be written. */
const failureLogMs = 60_000;

/**
 * Returns undefined if neither a file nor a webhook is wanted.
 *
 * @throws {StartError} when the file cannot be written, or others can write to it.
 */
export async function startAudit(
  options: AuditOptions,
  { log, webhookLimits }: AuditSurroundings,
): Promise<Audit | undefined> {
  const { auditLevel: level, auditFile, auditWebhook, auditWebhookTokenFile } = options;
  if (auditFile === undefined && auditWebhook === undefined) return undefined;
  const warn = (message: string, error?: unknown): void => log({ level: "warn", message, error });
  const token = auditWebhookTokenFile === undefined ? undefined : await tokenReader(auditWebhookTokenFile);
  const file =
    auditFile === undefined ? undefined : await openAuditFile({ ...options, path: auditFile, warn });
  const webhook =
    auditWebhook === undefined
      ? undefined
      : createWebhook({ url: auditWebhook, readToken: token, warn, limits: webhookLimits ?? {} });
  return createAudit({ level, file, webhook, warn });
}

/** Checks the file now, so that a mistake in it stops the start. */
async function tokenReader(path: string): Promise<() => Promise<string>> {
  try {
    readTrustedFile(path, checkSecret("The token file", path));
    await readToken(path);
  } catch (error) {
    if (error instanceof StartError) throw new StartError(`--audit-webhook-token-file: ${error.message}`);
    throw new StartError(`--audit-webhook-token-file: cannot read ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  return () => readToken(path);
}

async function readToken(path: string): Promise<string> {
  const token = (await readAgain(path)).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new Error(`${path} must hold one token of printable characters`);
}

interface Sinks {
  readonly level: AuditLevel;
  readonly file: AuditFile | undefined;
  readonly webhook: Webhook | undefined;
  readonly warn: (message: string, error?: unknown) => void;
}

function createAudit({ level, file, webhook, warn }: Sinks): Audit {
  let recorded = 0;
  let failed = 0;
  let failedSince = 0;
  let loggedAt = Number.NEGATIVE_INFINITY;

  /** Returns why the line could not be written. */
  function write(line: string): unknown {
    try {
      file?.append(line);
    } catch (error) {
      failed++;
      failedSince++;
      if (performance.now() - loggedAt >= failureLogMs) {
        loggedAt = performance.now();
        warn(`Cannot write the audit log, so requests are refused: ${reasonOf(error)}`, error);
      }
      return error;
    }
    recorded++;
    if (failedSince > 0) {
      warn(`The audit log can be written again; ${failedSince} lines were lost`);
      failedSince = 0;
      loggedAt = Number.NEGATIVE_INFINITY;
    }
    return undefined;
  }

  return {
    level,
    record(request, event) {
      const line = auditLine(request, event);
      const error = write(line);
      if (error !== undefined)
        throw new GatewayError(
          "audit_failed",
          "Cannot record the request in the audit log, so it was refused and nothing ran: the gateway's log has the reason",
          { cause: error, headers: { "retry-after": "10" } },
        );
      webhook?.send(line);
    },
    note(request, event) {
      const line = auditLine(request, event);
      write(line);
      webhook?.send(line);
    },
    get counts() {
      return { recorded, failed, webhook: webhook?.counts };
    },
    async close() {
      await webhook?.close();
      file?.close();
    },
  };
}
