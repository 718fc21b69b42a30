/**
 * Records requests in the audit log: allowed ones before they take effect and when they have ended, refused ones once.
 *
 * A refusal is known when its response has closed, whatever refused it: authentication, grants, scopes, the policy, a
 * limit.
 */
import type { WebSocket } from "@fastify/websocket";
import type { FastifyReply, FastifyRequest } from "fastify";
import { isScoped } from "../access/authorize.ts";
import type { RequestAudit } from "../api/request-audit.ts";
import type { Audit } from "../audit/audit.ts";
import { isAudited, isRefusal } from "../audit/decision.ts";
import type { AuditAnnotations, AuditedRequest } from "../audit/event.ts";
import { createRefusalLimit } from "../audit/refusal-limit.ts";
import { beginRecord, type RequestRecord } from "../server/request-record.ts";
import type { Bridged } from "../streaming/bridge.ts";
import { describeRequest } from "./audited-request.ts";
import { openPaths } from "./health.ts";
import { type LoggedConfig, targetIn } from "./request-log.ts";
import { bytesOf } from "./response-bytes.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What the audit log has of it, from its admission until its end. */
    audited?: AuditedRequest | undefined;
    /** When it came, in milliseconds since the epoch; only with an audit log. */
    receivedAtMs?: number;
  }
}

export interface AuditTrail extends RequestAudit {
  /** Call this before anything can refuse the request, and after the request log. */
  begin(request: FastifyRequest, reply: FastifyReply): void;
  /** A stream has begun to answer over HTTP. */
  streamStarted(request: FastifyRequest): void;
}

/** Maximum length of the reason of a refusal, which lists flags. */
const maxReasonLength = 1024;

export function createAuditTrail(audit: Audit): AuditTrail {
  // Of their own, so that strangers cannot keep the refusals of callers out.
  const limits = { strangers: createRefusalLimit(), floods: createRefusalLimit() };

  function finish(request: FastifyRequest, reply: FastifyReply, receivedAtMs: number): void {
    const { audited, caller, record } = request;
    if (record === undefined || !isWanted(request, record, audit)) return;
    request.audited = undefined;
    if (caller === undefined && !limits.strangers.admits()) return;
    if (record.code === "too_many_requests" && !limits.floods.admits()) return;
    const { raw } = reply;
    const code = raw.headersSent ? raw.statusCode : undefined;
    const isForbidden = isHidden(request, record) || isRefusal(record.code);
    const described = audited ?? describeRequest(request, receivedAtMs);
    const omitted = limits.strangers.takeOmitted() + limits.floods.takeOmitted();
    audit.note(described, {
      stage: "ResponseComplete",
      responseStatus: code === undefined ? undefined : { code, reason: record.code },
      annotations: {
        ...(isForbidden ? forbidden(record) : caller === undefined ? {} : allowed(request)),
        "audit.crest/omitted": omitted > 0 ? String(omitted) : undefined,
        "request.crest/replayed": record.isReplay ? "true" : undefined,
        "object.crest/created": code === 201 ? targetIn(reply.getHeader("location")) : undefined,
        "session.crest/bytes-sent": raw.headersSent ? textOf(bytesOf(request, reply, record)) : undefined,
        "session.crest/aborted": raw.writableFinished ? undefined : "true",
        "latency.crest/total": elapsed(record),
      },
    });
  }

  return {
    covers: (route) => isAudited(route, audit.level),
    begin(request, reply) {
      if (request.record === undefined) beginRecord(request);
      const receivedAtMs = Date.now();
      request.receivedAtMs = receivedAtMs;
      reply.raw.once("close", () => finish(request, reply, receivedAtMs));
    },
    admit(request, { grants, object, annotations }) {
      const described = describeRequest(request, request.receivedAtMs ?? Date.now(), object);
      const audited: AuditedRequest = {
        ...described,
        annotations: { ...described.annotations, ...annotations, ...allowedBy(grants) },
      };
      audit.record(audited, { stage: "RequestReceived" });
      request.audited = audited;
    },
    streamStarted({ audited }) {
      if (audited !== undefined)
        audit.note(audited, { stage: "ResponseStarted", responseStatus: { code: 200 } });
    },
    sessionBegan(request, socket, session) {
      const { audited, record } = request;
      if (audited === undefined || record === undefined) return;
      audit.note(audited, { stage: "ResponseStarted", responseStatus: { code: 101 } });
      request.audited = undefined;
      noteEnd(audit, { audited, record, socket, session });
    },
  };
}

/** A session that is open: nothing here may hold its request, which can be large. */
interface OpenSession {
  readonly audited: AuditedRequest;
  readonly record: RequestRecord;
  readonly socket: WebSocket;
  readonly session: Bridged;
}

/** Apart from the function that has the request: a listener keeps all variables of the function that makes it. */
function noteEnd(audit: Audit, { audited, record, socket, session }: OpenSession): void {
  let closeCode: number | undefined;
  socket.once("close", (code: number) => {
    closeCode = code;
  });
  void session.ended.then(() =>
    audit.note(audited, {
      stage: "ResponseComplete",
      responseStatus: { code: 101, reason: record.code },
      annotations: {
        "session.crest/bytes-received": String(session.traffic.received),
        "session.crest/bytes-sent": String(session.traffic.sent),
        "session.crest/close-code": textOf(closeCode),
        "latency.crest/total": elapsed(record),
      },
    }),
  );
}

/** Whether a request that has ended is recorded. */
function isWanted(request: FastifyRequest, { code }: RequestRecord, { level }: Audit): boolean {
  if (request.audited !== undefined || isRefusal(code)) return true;
  if (openPaths.has(request.routeOptions.url ?? "") || request.caller === undefined) return false;
  const { logged } = request.routeOptions.config as LoggedConfig;
  if (logged === undefined) return level === "all";
  // Whoever looks for what there is finds it out by asking for what there is not.
  return isAudited(logged, level) || code === "not_found";
}

/** To a caller that sees some pods only, the others do not exist, and nobody looks which of the two it is. */
function isHidden({ caller, routeOptions }: FastifyRequest, { code }: RequestRecord): boolean {
  const { logged } = routeOptions.config as LoggedConfig;
  return code === "not_found" && caller !== undefined && logged !== undefined && isScoped(logged, caller);
}

const allowedBy = (grants: readonly string[]): AuditAnnotations => ({
  "authorization.crest/decision": "allow",
  "authorization.crest/grant": grants.length === 0 ? undefined : grants.join(","),
});

/** It ended before it was admitted, but not because the caller may not do it. */
function allowed({ routeOptions, audited }: FastifyRequest): AuditAnnotations {
  if (audited !== undefined) return {};
  const { logged } = routeOptions.config as LoggedConfig;
  const { allow } = logged ?? {};
  return allow === undefined ? {} : allowedBy(allow === "authenticated" ? [] : [allow]);
}

function forbidden({ code, missingGrants, missingFlags = [] }: RequestRecord): AuditAnnotations {
  const reason = [code === "not_found" ? "absent_or_out_of_scope" : code, ...missingFlags].join(" ");
  return {
    "authorization.crest/decision": "forbid",
    "authorization.crest/grant": missingGrants?.join(","),
    "authorization.crest/reason": reason.slice(0, maxReasonLength),
  };
}

const elapsed = ({ startedAtMs }: RequestRecord): string =>
  `${Math.round((performance.now() - startedAtMs) * 100) / 100}ms`;

const textOf = (value: number | undefined): string | undefined =>
  value === undefined ? undefined : String(value);
