/** Weak validators (RFC 9110, 8.8.3 and 13.1.2). */
import { createHash } from "node:crypto";

/** The ETag of a response body. Weak, because two bodies with the same meaning may differ in insignificant bytes. */
export function weakEtag(bytes: Uint8Array): string {
  return `W/"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`;
}

/** Nobody has so many validators to ask for; anyone may send them, and reading them takes time. */
const maxListLength = 4096;

/** Whether `If-None-Match`, a list of validators or `*`, names `etag`. A list over 4 KiB names none. */
export function noneMatch(header: string | undefined, etag: string): boolean {
  if (header === undefined || header.length > maxListLength) return false;
  const opaque = (validator: string): string => validator.trim().replace(/^W\//, "");
  return (
    header.trim() === "*" ||
    (header.match(/(W\/)?"[^"]*"/g) ?? []).some((one) => opaque(one) === opaque(etag))
  );
}
