/** The only place that lists where our JSON differs from canonical proto3 JSON. */

/**
 * `bytes` fields that are plain text in JSON. Base64 would be a trap for environment variables: "8080" is valid base64
 * and would decode to garbage.
 */
export const textFields: ReadonlySet<string> = new Set(["KeyValue.value"]);

/** Messages that may be written as a plain string, which sets this field (JSON name). */
export const shorthands: ReadonlyMap<string, string> = new Map([["ImageSpec", "image"]]);
