/** The record of who changed what on the node. */
import type { Access } from "../routes/define.ts";

/** One decision to allow a request. */
export interface AuditEntry {
  readonly requestId: string;
  readonly caller: string;
  /** The operation id in the published document, such as `stopPod`. */
  readonly routeId: string;
  /** The affected pod or container. */
  readonly target: { readonly kind: "pod" | "container"; readonly id: string } | undefined;
}

export interface Audit {
  /**
   * Records a decision before it takes effect.
   *
   * @throws {GatewayError} when it cannot be recorded; the request is then refused.
   */
  record(entry: AuditEntry): void | Promise<void>;
}

/** Whether requests with this grant are recorded. Reads are not, because they change nothing. */
export const isAudited = (allow: Access): boolean => allow !== "authenticated" && !allow.startsWith("read:");
