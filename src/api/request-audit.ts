/** What the stages tell the audit log about a request that they have allowed. */
import type { WebSocket } from "@fastify/websocket";
import type { FastifyRequest } from "fastify";
import { changesPods } from "../access/authorize.ts";
import type { AuditAnnotations, AuditObject } from "../audit/event.ts";
import type { Input } from "../cri/codec.ts";
import type { ContainerConfig, PodSandboxConfig } from "../gen/messages.ts";
import type { Inventory, PodFacts } from "../inventory/inventory.ts";
import type { Route } from "../routes/define.ts";
import { managedLabel } from "../runtimes/pod-config.ts";
import type { Bridged } from "../streaming/bridge.ts";
import type { RequestContext } from "./context.ts";

export interface RequestAudit {
  /** Whether requests of this route are recorded before they take effect. */
  covers(route: Route): boolean;
  /** Records that a request is allowed. @throws {GatewayError} audit_failed: the request must be refused. */
  admit(request: FastifyRequest, admitted: Admitted): void;
  /** Records that a session has begun, and later its end. */
  sessionBegan(request: FastifyRequest, socket: WebSocket, session: Bridged): void;
}

/** What the stages know about an allowed request. */
export interface Admitted extends Described {
  readonly grants: readonly string[];
}

/** What a request is about. */
export interface Described {
  /** What the path alone does not say. */
  readonly object: Partial<AuditObject>;
  readonly annotations: AuditAnnotations;
}

/** Names that tell people what a request is about. Nothing else of a config is recorded. */
interface Named {
  readonly config?: Input<Pick<PodSandboxConfig & ContainerConfig, "image">> & {
    readonly metadata?: { readonly name?: string; readonly namespace?: string };
  };
  readonly image?: { readonly image?: string };
}

export async function admittedBy(
  route: Route,
  { target, usedGrants, outgoing }: RequestContext,
  inventory: Inventory,
): Promise<Admitted> {
  const isRead = route.allow.startsWith("read:");
  const pod =
    target === undefined || isRead
      ? target?.pod
      : (target.pod ?? (await inventory.podOf(target.kind, target.id).catch(() => undefined)));
  // Reads send nothing that has a name of its own, and are not decoded for this.
  const { config, image }: Named = route.http.startsWith("GET ") ? {} : (outgoing?.message ?? {});
  const isPod = target === undefined || target.kind === "pod";
  const { name, namespace } = pod ?? (target === undefined ? (config?.metadata ?? {}) : {});
  return {
    grants: [...usedGrants, ...(isForeign(route, pod) ? ["unmanaged"] : [])],
    object: { namespace, name: isPod ? (name ?? image?.image) : undefined, uid: target?.id },
    annotations: {
      "object.crest/pod": isPod ? undefined : name,
      "object.crest/container": target === undefined ? undefined : config?.metadata?.name,
      "object.crest/image": config?.image?.image,
    },
  };
}

/** Whether the request was allowed because the caller may change pods that Crest did not create. */
const isForeign = (route: Route, pod: PodFacts | undefined): boolean =>
  pod !== undefined && changesPods(route) && pod.labels[managedLabel] !== "true";
