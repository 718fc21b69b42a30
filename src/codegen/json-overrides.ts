/** Where our JSON is not canonical proto3 JSON. The only place that says so. */

/**
 * `bytes` fields that are plain text in JSON. An environment variable as base64 would be a trap:
 * "8080" is valid base64, and would arrive as garbage.
 */
export const textFields: ReadonlySet<string> = new Set(["KeyValue.value"]);

/** Messages that a plain string may stand for: the string sets this field (JSON name). */
export const shorthands: ReadonlyMap<string, string> = new Map([["ImageSpec", "image"]]);
