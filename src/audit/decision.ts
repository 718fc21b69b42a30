/** Which requests are recorded, and whether they were refused. */
import { type ErrorCode, errorTable } from "../errors.ts";
import type { Route } from "../routes/define.ts";
import type { AuditLevel } from "./audit.ts";

/** Limits of others, which have nothing to do with what the caller may do here. */
const limitsOfOthers: ReadonlySet<ErrorCode> = new Set(["registry_rate_limited", "runtime_exhausted"]);
const statusesOfRefusals: ReadonlySet<number> = new Set([401, 403, 429]);

/** Whether a problem means that the gateway did not let the caller do it. */
export const isRefusal = (code: ErrorCode | undefined): boolean =>
  code !== undefined && statusesOfRefusals.has(errorTable[code].status) && !limitsOfOthers.has(code);

/** Whether requests of this route are recorded, whatever their outcome. What needs a token only changes things, too. */
export function isAudited({ allow, http }: Pick<Route, "allow" | "http">, level: AuditLevel): boolean {
  if (level === "all") return true;
  return allow === "authenticated" ? !http.startsWith("GET ") : !allow.startsWith("read:");
}
