/**
 * The record of a decision, in the shape of `Event` of `audit.k8s.io/v1`, so that what reads the audit log of a
 * Kubernetes API server reads this one, too.
 *
 * It holds what is listed here and nothing else: no body, no header but `User-Agent`, and of the query only switches and
 * numbers.
 */

import { printable } from "../printable.ts";

/** `Metadata` of Kubernetes: who did what, without bodies. */
const level = "Metadata";

/**
 * - `RequestReceived`: it is allowed, and about to happen;
 * - `ResponseStarted`: a stream or session has begun;
 * - `ResponseComplete`: it has ended, or was refused.
 */
export type AuditStage = "RequestReceived" | "ResponseStarted" | "ResponseComplete";

/** What a request is about. */
export interface AuditObject {
  /** The first word of the path after `/v1`: `pods`. */
  readonly resource: string;
  /** The last word of the path, where it is not the object itself: `exec`. */
  readonly subresource?: string | undefined;
  /** Of the pod. */
  readonly namespace?: string | undefined;
  /** The name of the pod or the image. */
  readonly name?: string | undefined;
  /** The id of the pod or container. */
  readonly uid?: string | undefined;
}

/** Names of annotations. The values are texts, as in Kubernetes. */
export interface AuditAnnotations {
  /** `allow` or `forbid`. */
  readonly "authorization.crest/decision"?: string | undefined;
  /** The grants that the request used; of a refusal, those that were missing. */
  readonly "authorization.crest/grant"?: string | undefined;
  /** Why it was refused: the problem's code, and the flags that would permit it. */
  readonly "authorization.crest/reason"?: string | undefined;
  /** `X-Request-Id`, as in the request log and in problems. Callers may choose it. */
  readonly "request.crest/id"?: string | undefined;
  /** Refusals that were left out before this one, because they were too many. */
  readonly "audit.crest/omitted"?: string | undefined;
  /** The pod of the container. */
  readonly "object.crest/pod"?: string | undefined;
  /** The image of a container that is created. */
  readonly "object.crest/image"?: string | undefined;
  /** The name of a container that is created. */
  readonly "object.crest/container"?: string | undefined;
  /** `true`: nothing was done. An earlier request with the same `Idempotency-Key` has had this answer. */
  readonly "request.crest/replayed"?: string | undefined;
  /** What a request has created: `pods/ID`. */
  readonly "object.crest/created"?: string | undefined;
  /** Payload that a session took from its client, in bytes. */
  readonly "session.crest/bytes-received"?: string | undefined;
  /** Payload that was sent to the client, in bytes: a body, or the output of a session. */
  readonly "session.crest/bytes-sent"?: string | undefined;
  /** The code with which a WebSocket was closed. */
  readonly "session.crest/close-code"?: string | undefined;
  /** `true`: the client left before the response had ended. */
  readonly "session.crest/aborted"?: string | undefined;
  /** From the request until its response or session had ended: `12.5ms`. */
  readonly "latency.crest/total"?: string | undefined;
}

/** What stays the same from one stage of a request to the next. */
export interface AuditedRequest {
  readonly auditID: string;
  readonly requestURI: string;
  readonly verb: string;
  /** Without a name: nobody was authenticated. */
  readonly user: { readonly username?: string | undefined };
  /** Absent on a Unix socket. */
  readonly sourceIPs?: readonly string[] | undefined;
  readonly userAgent?: string | undefined;
  readonly objectRef?: AuditObject | undefined;
  readonly receivedAtMs: number;
  readonly annotations: AuditAnnotations;
}

export interface AuditEvent {
  readonly stage: AuditStage;
  /** HTTP status, and the problem's code. Absent before there is a response. */
  readonly responseStatus?: { readonly code: number; readonly reason?: string | undefined } | undefined;
  readonly annotations?: AuditAnnotations;
}

/** The event as one line of JSON, without the newline. */
export function auditLine({ receivedAtMs, ...request }: AuditedRequest, event: AuditEvent): string {
  const { code, reason } = event.responseStatus ?? {};
  // JSON has no members that are undefined.
  const line = JSON.stringify({
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level,
    auditID: request.auditID,
    stage: event.stage,
    requestURI: request.requestURI,
    verb: request.verb,
    user: request.user,
    sourceIPs: request.sourceIPs,
    userAgent: request.userAgent,
    objectRef: request.objectRef,
    responseStatus:
      code === undefined
        ? undefined
        : { metadata: {}, status: code < 400 ? "Success" : "Failure", reason, code },
    requestReceivedTimestamp: microTime(receivedAtMs),
    stageTimestamp: microTime(Date.now()),
    annotations: { ...request.annotations, ...event.annotations },
  });
  return printable(line);
}

/** As Kubernetes parses it: with exactly six digits of a second. */
const microTime = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");
