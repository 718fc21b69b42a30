/**
 * Stateless paging: `continue` holds the position of the last item in the stable order, and a digest of the filters.
 * Items created between pages may be missed or appear later; no item appears twice.
 */
import { createHash } from "node:crypto";
import { invalid } from "./bind.ts";

/** The values of an item's order fields. Unique per item. */
export type Position = readonly (string | bigint)[];

export interface Page {
  /** Maximum number of items. */
  readonly limit: number | undefined;
  /** Return only items after this position. */
  readonly after: Position | undefined;
}

export const maxLimit = 1000;
/** Query parameters of every list. */
export const pageParameters = ["limit", "continue"] as const;

type Query = { readonly [name: string]: string | readonly string[] | undefined };

/**
 * Reads `limit` and `continue`. `filters` stands for everything that selects the items.
 *
 * @throws {GatewayError} invalid_request: also for a position from a list with other filters.
 */
export function parsePage(query: Query, filters: string): Page {
  const { limit, continue: token } = query;
  return {
    limit: limit === undefined ? undefined : parseLimit(limit),
    after: token === undefined ? undefined : parseToken(token, filters),
  };
}

/** The `continue` token of a page that ends with `last`. */
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
  const detail = "must be the unchanged continue value of the previous page";
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
        detail: "belongs to a list with different filters: keep them while paging, or start over",
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
