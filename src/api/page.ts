/**
 * Paging without memory: `continue` holds the place of the last item in the one order, and a digest of the
 * filters it belongs to. What is made meanwhile may be missed or come later; nothing comes twice.
 */
import { createHash } from "node:crypto";
import { invalid } from "./bind.ts";

/** The values of an item's order fields; unique among the items. */
export type Position = readonly (string | bigint)[];

export interface Page {
  /** At most so many items. */
  readonly limit: number | undefined;
  /** Only what comes after it. */
  readonly after: Position | undefined;
}

export const maxLimit = 1000;
/** Query parameters that every list has. */
export const pageParameters = ["limit", "continue"] as const;

type Query = { readonly [name: string]: string | readonly string[] | undefined };

/**
 * Reads `limit` and `continue`. `filters` is whatever decides which items there are.
 *
 * @throws {GatewayError} `invalid_request`, also for a position that belongs to other filters.
 */
export function parsePage(query: Query, filters: string): Page {
  const { limit, continue: token } = query;
  return {
    limit: limit === undefined ? undefined : parseLimit(limit),
    after: token === undefined ? undefined : parseToken(token, filters),
  };
}

/** The `continue` of a page that ended with `last`. */
export function continueToken(last: Position, filters: string): string {
  const parts = last.map((value) => (typeof value === "bigint" ? { n: String(value) } : value));
  return Buffer.from(JSON.stringify([digest(filters), ...parts])).toString("base64url");
}

function parseLimit(limit: string | readonly string[]): number {
  const value = typeof limit === "string" && /^[1-9][0-9]{0,3}$/.test(limit) ? Number(limit) : 0;
  if (value >= 1 && value <= maxLimit) return value;
  throw invalid([
    { parameter: "limit", detail: `must be an integer from 1 to ${maxLimit}, got ${JSON.stringify(limit)}` },
  ]);
}

function parseToken(token: string | readonly string[], filters: string): Position {
  const detail = "must be the continue of the page before, unchanged";
  if (typeof token !== "string") throw invalid([{ parameter: "continue", detail: "must be given once" }]);
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    parts = undefined;
  }
  if (!Array.isArray(parts) || parts.length < 2) throw invalid([{ parameter: "continue", detail }]);
  const [filtersThen, ...position] = parts as unknown[];
  if (filtersThen !== digest(filters)) {
    throw invalid([
      {
        parameter: "continue",
        detail: "belongs to a list with other filters: keep them while paging, or begin anew",
      },
    ]);
  }
  return position.map((part) => {
    if (typeof part === "string") return part;
    const { n } = (part ?? {}) as { readonly n?: unknown };
    if (typeof n !== "string" || !/^-?[0-9]{1,20}$/.test(n))
      throw invalid([{ parameter: "continue", detail }]);
    return BigInt(n);
  });
}

function digest(filters: string): string {
  return createHash("sha256").update(filters).digest("base64url").slice(0, 11);
}
