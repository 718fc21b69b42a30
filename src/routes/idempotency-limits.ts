/** How many keys of the `Idempotency-Key` header the gateway remembers, and for how long. */
export const idempotencyLimits = {
  /** Of a caller. Beyond, the oldest is forgotten. */
  maxKeys: 1000,
  /** Requests of a caller that are under way. */
  maxPending: 100,
  /** Answers of a caller, in bytes. */
  maxBytes: 16 * 1024 * 1024,
  /** Answers of all callers, in bytes. */
  maxTotalBytes: 64 * 1024 * 1024,
  /** 24 hours after the answer. */
  maxAgeMs: 24 * 3_600_000,
} as const satisfies { readonly [limit: string]: number };
