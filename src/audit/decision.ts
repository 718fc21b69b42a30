/** Which requests are recorded, and whether they were refused. */
import { type ErrorCode, errorTable } from "../errors.ts";
import type { Access } from "../routes/define.ts";
import type { AuditLevel } from "./audit.ts";

/** Limits of others, which have nothing to do with what the caller may do here. */
const limitsOfOthers: ReadonlySet<ErrorCode> = new Set(["registry_rate_limited", "runtime_exhausted"]);
const statusesOfRefusals: ReadonlySet<number> = new Set([401, 403, 429]);

/** Whether a problem means that the gateway did not let the caller do it. */
export const isRefusal = (code: ErrorCode | undefined): boolean =>
  code !== undefined && statusesOfRefusals.has(errorTable[code].status) && !limitsOfOthers.has(code);

/** Whether requests with this grant are recorded, whatever their outcome. */
export const isAudited = (allow: Access, level: AuditLevel): boolean =>
  level === "all" || (allow !== "authenticated" && !allow.startsWith("read:"));
