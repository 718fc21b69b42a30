/** The record of who changed what on the node. */
import type { Access } from "../routes/define.ts";

/** One decision to let a request pass. */
export interface AuditEntry {
  readonly requestId: string;
  readonly caller: string;
  /** The operation's id, as in the published document: `stopPod`. */
  readonly routeId: string;
  /** The pod or container that it is about. */
  readonly target: { readonly kind: "pod" | "container"; readonly id: string } | undefined;
}

export interface Audit {
  /** Records a decision before it takes effect. @throws {GatewayError} when it cannot: the request is refused. */
  record(entry: AuditEntry): void | Promise<void>;
}

/** Whether requests with this grant are on record: reads change nothing. */
export const isAudited = (allow: Access): boolean => allow !== "authenticated" && !allow.startsWith("read:");

/** Keeps no record. */
export const noAudit: Audit = { record: () => undefined };
