/**
 * Keeps the names of new pods unique. CRI tells pods of one name apart by their uid, which Crest makes up where a request
 * has none, so that a repeated request would create a second pod. Such a request is refused while a ready pod that Crest
 * created has the name, and waits while another one creates it.
 *
 * What a caller cannot see does not have the name: the runtime that is asked is the caller's own view.
 */
import { call } from "../cri/call.ts";
import type { Runtime } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { UnaryRoute } from "../routes/define.ts";
import { managedLabel } from "../runtimes/pod-config.ts";
import { findNamesake } from "../runtimes/safe-creates.ts";
import type { RequestContext } from "./context.ts";
import { locationOf } from "./location.ts";

/** The name of a pod that is to be created. */
export interface PodName {
  readonly name: string;
  readonly namespace: string;
}

export interface NameClaims {
  /**
   * Claims a name until the returned function is called, after the pod was created or was not. Waits while another
   * request has it.
   *
   * @throws {GatewayError} name_reserved: if a ready pod has it, with its path in the header `location`.
   */
  claim(runtime: Runtime, pod: PodName): Promise<() => void>;
  /** Looks without claiming it. @throws {GatewayError} name_reserved */
  requireFree(runtime: Runtime, pod: PodName): Promise<void>;
}

export function createNameClaims(): NameClaims {
  const claimed = new Map<string, Promise<void>>();
  return {
    async claim(runtime, pod) {
      const key = JSON.stringify([pod.namespace, pod.name]);
      for (let other = claimed.get(key); other !== undefined; other = claimed.get(key)) await other;
      let settle = (): void => undefined;
      claimed.set(
        key,
        new Promise((resolve) => {
          settle = resolve;
        }),
      );
      const release = (): void => {
        claimed.delete(key);
        settle();
      };
      try {
        await requireFree(runtime, pod);
      } catch (error) {
        release();
        throw error;
      }
      return release;
    },
    requireFree,
  };
}

async function requireFree(runtime: Runtime, { name, namespace }: PodName): Promise<void> {
  const { items } = await call(runtime, "RuntimeService/ListPodSandbox", {
    filter: { state: { state: "SANDBOX_READY" }, labelSelector: { [managedLabel]: "true" } },
  });
  const taken = items.find(
    ({ metadata }) => metadata?.name === name && (metadata.namespace || "default") === namespace,
  );
  if (taken === undefined) return;
  const podSandboxId = taken.id;
  throw new GatewayError(
    "name_reserved",
    `Cannot create pod "${namespace}/${name}": pod "${podSandboxId}" has this name; stop it first, or send another name or a uid`,
    { members: { podSandboxId }, headers: { location: `/v1/pods/${podSandboxId}` } },
  );
}

/** The name that a request to create a pod needs for itself; undefined if it has a uid, or creates none. */
export function neededName(route: UnaryRoute, { bound, outgoing }: RequestContext): PodName | undefined {
  if (rpcRules[route.rpc].creates !== "pod") return undefined;
  // As the caller wrote it: by now, each pod has a uid.
  if (metadataIn(bound.message).uid) return undefined;
  const { name, namespace } = metadataIn(outgoing?.message);
  return name && namespace ? { name, namespace } : undefined;
}

function metadataIn(message: object | undefined): Partial<PodName> & { readonly uid?: string } {
  const { config } = (message ?? {}) as {
    readonly config?: { readonly metadata?: (Partial<PodName> & { readonly uid?: string }) | null } | null;
  };
  return config?.metadata ?? {};
}

/** Adds to a `name_reserved` where the pod or container is that has the name, if the caller can see it. */
export async function withNamesake(
  error: GatewayError,
  route: UnaryRoute,
  { runtime, wire }: { readonly runtime: Runtime; readonly wire: Uint8Array },
): Promise<GatewayError> {
  const { creates } = rpcRules[route.rpc];
  if (creates === undefined || route.location === undefined || error.headers.location !== undefined)
    return error;
  // This is only a courtesy, so ignore failures.
  const id = await findNamesake(runtime, route.rpc, wire).catch(() => undefined);
  if (id === undefined) return error;
  const member = creates === "pod" ? { podSandboxId: id } : { containerId: id };
  return new GatewayError(error.code, error.message, {
    cause: error,
    errors: error.errors,
    grpcCode: error.grpcCode,
    members: { ...error.members, ...member },
    headers: { ...error.headers, location: locationOf(route.location, member) },
  });
}
