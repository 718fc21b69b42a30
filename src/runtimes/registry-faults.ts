/**
 * Errors of runtimes when a pull fails because of the registry, what it sent, or how the node reaches it: containerd
 * 1.6 to 2.1, CRI-O (containers/image) and dockerd. Names are already removed from these texts: see `own-words.ts`.
 */

import { anyOf, onOneLine, type TextPattern } from "../cri/text-pattern.ts";
import type { ErrorCode } from "../errors.ts";

/** The first match wins. A registry's own message comes last in a text, and may contain any words. */
export const registryFaults: readonly { readonly text: TextPattern; readonly code: ErrorCode }[] = [
  {
    text: /\b429 Too Many Requests|StatusCode: 429\b|\btoomanyrequests: /i,
    code: "registry_rate_limited",
  },
  {
    // The content or length does not match the digest.
    text: /unexpected commit digest|failed size validation|layer verification failed|manifest verification failed for digest|does not match provided manifest digest|Digest did not match, expected/,
    code: "digest_mismatch",
  },
  {
    text: /no match for platform in manifest|no matching manifest for |no image found in (image index|manifest list)|does not match the specified platform|image operating system "[^"]*" cannot be used/,
    code: "platform_missing",
  },
  {
    text: /SignatureValidationFailed|Source image rejected|image verifier \S+ blocked pull/,
    code: "signature_rejected",
  },
  {
    text: /server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/,
    code: "registry_plain_http",
  },
  {
    text: anyOf(
      /\b5\d\d (Internal Server Error|Not Implemented|Bad Gateway|Service Unavailable|Gateway Timeout)|(HTTP status|StatusCode|status code): 5\d\d\b/,
      /connection reset by peer|broken pipe|server closed idle connection|: EOF\b|\bunexpected EOF\b/,
      // A web page, for example from a proxy, instead of a manifest.
      /unexpected media type/,
    ),
    code: "registry_failed",
  },
  {
    text: /\b401 Unauthorized|\b403 Forbidden|\bunauthorized: |: unauthorized\b|no basic auth credentials|authorization failed|access denied|\bdenied: |authentication required/i,
    code: "registry_unauthorized",
  },
  {
    text: anyOf(
      /connection refused|no such host|i\/o timeout|no route to host|network is unreachable|server misbehaving|RegistryUnavailable|x509: |tls: /,
      /TLS handshake timeout|connection timed out|Client\.Timeout exceeded|timeout awaiting response headers|(Get|Head) "[^"]*": context deadline exceeded/i,
    ),
    code: "registry_unreachable",
  },
  {
    // Another pull of the same layers was cancelled: containerd 1.6 removes what this one builds on, and CRI-O merges
    // pulls of an image under the context of the first caller. Before the next row, whose `not found` matches the first.
    text: /parent snapshot \S+ does not exist|context canceled/,
    code: "pull_interrupted",
  },
  {
    text: anyOf(
      /manifest unknown|name unknown|\b404 Not Found|did not resolve|: not found$/i,
      onOneLine("repository ", " not found"),
    ),
    code: "image_not_found",
  },
];
