/** An audit log of a test: starts it, and reads its lines. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Audit, type AuditOptions, startAudit } from "../../src/audit/audit.ts";
import type { WebhookLimits } from "../../src/audit/webhook.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { eventually } from "./eventually.ts";
import { tempDir } from "./temp-dir.ts";

/** A line as its reader has it. */
export interface AuditLine {
  readonly stage: string;
  readonly auditID: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username?: string };
  readonly sourceIPs?: readonly string[];
  readonly userAgent?: string;
  readonly objectRef?: { readonly [member: string]: string };
  readonly responseStatus?: { readonly code: number; readonly status: string; readonly reason?: string };
  readonly annotations: { readonly [name: string]: string };
}

export interface TestAudit {
  readonly audit: Audit;
  readonly file: string;
  readonly logged: readonly LogEntry[];
  lines(): Promise<readonly AuditLine[]>;
  /** The lines of the request with this `X-Request-Id`, once there are so many. */
  linesOf(requestId: string, count: number): Promise<readonly AuditLine[]>;
}

export interface TestAuditOptions extends Partial<AuditOptions> {
  readonly webhookLimits?: Partial<WebhookLimits>;
}

export async function testAudit(
  t: Pick<TestContext, "after">,
  { webhookLimits = {}, ...options }: TestAuditOptions = {},
): Promise<TestAudit> {
  const file = options.auditFile ?? join(await tempDir(t), "audit.log");
  const logged: LogEntry[] = [];
  const audit = await startAudit(
    { auditLevel: "changes", auditMaxSizeBytes: 0, auditMaxFiles: 2, auditFile: file, ...options },
    { log: (entry) => void logged.push(entry), webhookLimits },
  );
  if (audit === undefined) throw new TypeError("An audit log without a place");
  t.after(() => audit.close());
  const lines = async (): Promise<readonly AuditLine[]> => auditLines(await readFile(file, "utf8"));
  return {
    ...{ audit, file, logged, lines },
    linesOf: (requestId, count) =>
      eventually(async () => {
        const found = (await lines()).filter((line) => line.annotations["request.crest/id"] === requestId);
        return found.length === count && found;
      }),
  };
}

export const auditLines = (text: string): readonly AuditLine[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as AuditLine);
