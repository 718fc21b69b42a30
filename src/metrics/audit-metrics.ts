/** What the audit log counts. */
import type { AuditCounts } from "../audit/audit.ts";
import { gauge, total } from "./recorder.ts";

export function auditText({ recorded, failed, webhook }: AuditCounts): string {
  const file = [
    total("crest_audit_events_total", "Audit events that were recorded.", recorded),
    total("crest_audit_errors_total", "Audit events that could not be written to the file.", failed),
  ];
  if (webhook === undefined) return file.join("");
  return [
    ...file,
    gauge("crest_audit_webhook_waiting", "Audit events that wait for the webhook.", webhook.waiting),
    total("crest_audit_webhook_sent_total", "Audit events that the webhook took.", webhook.sent),
    total(
      "crest_audit_webhook_dropped_total",
      "Audit events that the webhook did not get, because its queue was full, it refused them, or the gateway ended.",
      webhook.dropped,
    ),
  ].join("");
}
