/**
 * Creates that destroy nothing and leave nothing behind.
 *
 * A create with a taken name must fail and change nothing. cri-dockerd instead removes the stopped pod or container
 * with that name, and CRI-O lets the second of two concurrent creates hang until its deadline. So the gateway runs one
 * create per name at a time, and first checks the name if the runtime does not.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { type Input, requestOf } from "../cri/codec.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { PodSandboxMetadata } from "../gen/messages.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "./compose.ts";
import { isRuntime } from "./identity.ts";
import { nameTaken } from "./translate-error.ts";

/** What a create makes, identified by its unique name. */
type Wanted =
  | { readonly kind: "pod"; readonly metadata: PodSandboxMetadata }
  | {
      readonly kind: "container";
      readonly podSandboxId: string;
      readonly name: string;
      readonly attempt: number;
    };

/** The fields of create requests that identify what is created, and where. */
interface Created {
  readonly podSandboxId: string;
  readonly config: { readonly metadata: PodSandboxMetadata };
}

/** How long cleaning up after a failed create may delay its caller, in milliseconds. */
const cleanUpMs = 30_000;

/**
 * Makes creates fail with `name_reserved` while another create of the same name is in progress, or when the name is
 * taken. Removes the pod that a failed RunPodSandbox left; if that fails too, the error has `podSandboxId`.
 */
export const withSafeCreates: Interceptor = only(
  ({ creates }) => creates !== undefined,
  (runtime) => {
    const underWay = new Set<string>();

    async function create(
      rpc: Rpc,
      wanted: Wanted,
      request: Uint8Array,
      options: CallOptions = {},
    ): Promise<Buffer> {
      const key = JSON.stringify(wanted);
      if (underWay.has(key)) throw reserved(wanted, "another request is creating it");
      underWay.add(key);
      try {
        await refuseTaken(runtime, wanted, options);
        const calledAtMs = Date.now();
        try {
          return await runtime.call(rpc, request, options);
        } catch (error) {
          throw wanted.kind === "pod" ? await withoutLeftover(runtime, wanted, { error, calledAtMs }) : error;
        }
      } finally {
        underWay.delete(key);
      }
    }

    return {
      ...runtime,
      call(rpc, request, options) {
        const wanted = wantedBy(rpc, request);
        return wanted === undefined
          ? runtime.call(rpc, request, options)
          : create(rpc, wanted, request, options);
      },
    };
  },
);

/** What a create should make; undefined for other RPCs. */
function wantedBy(rpc: Rpc, request: Uint8Array): Wanted | undefined {
  const { creates } = rpcRules[rpc];
  if (creates === undefined) return undefined;
  // Each create has a `config` with the metadata of what it makes.
  const { podSandboxId = "", config } = requestOf(rpc, request) as Input<Created>;
  const { name = "", attempt = 0, ...metadata } = config?.metadata ?? {};
  if (creates === "container") return { kind: "container", podSandboxId, name, attempt };
  const { uid = "", namespace = "" } = metadata;
  return config?.metadata && { kind: "pod", metadata: { name, uid, namespace, attempt } };
}

function reserved(wanted: Wanted, why: string): GatewayError {
  const { name, attempt } = wanted.kind === "pod" ? wanted.metadata : wanted;
  return new GatewayError(
    "name_reserved",
    `Cannot create ${wanted.kind} "${name}" (attempt ${attempt}): ${why}`,
  );
}

/** Checks for the name, unless the runtime refuses a taken one itself: containerd does. */
async function refuseTaken(runtime: Runtime, wanted: Wanted, { onCancel }: CallOptions): Promise<void> {
  if (await isRuntime(runtime, "containerd")) return;
  const reads: CallOptions = onCancel === undefined ? {} : { onCancel };
  const id = await findByName(runtime, wanted, reads);
  if (id !== undefined) throw reserved(wanted, `${wanted.kind} "${id}" has this name`);
}

/** The id of the pod or container that has the name which a request wants to create; undefined if there is none. */
export async function findNamesake(
  runtime: Runtime,
  rpc: Rpc,
  request: Uint8Array,
): Promise<string | undefined> {
  const wanted = wantedBy(rpc, request);
  return wanted && (await findByName(runtime, wanted, {}));
}

async function findByName(
  runtime: Runtime,
  wanted: Wanted,
  options: CallOptions,
): Promise<string | undefined> {
  if (wanted.kind === "pod") {
    const { items } = await call(runtime, "RuntimeService/ListPodSandbox", {}, options);
    return items.find(({ metadata }) => isSamePod(metadata, wanted.metadata))?.id;
  }
  const { podSandboxId, name, attempt } = wanted;
  const filter = { podSandboxId };
  const { containers } = await call(runtime, "RuntimeService/ListContainers", { filter }, options);
  return containers.find(({ metadata }) => metadata?.name === name && metadata.attempt === attempt)?.id;
}

/** Whether both are the name of one pod. What a request leaves out is empty. */
export function isSamePod(
  one: Input<PodSandboxMetadata> | undefined,
  other: Input<PodSandboxMetadata>,
): boolean {
  return (
    (one?.name ?? "") === (other.name ?? "") &&
    (one?.namespace ?? "") === (other.namespace ?? "") &&
    (one?.uid ?? "") === (other.uid ?? "") &&
    (one?.attempt ?? 0) === (other.attempt ?? 0)
  );
}

/**
 * Removes the pod that a failed RunPodSandbox left: cri-dockerd leaves one that could not start, containerd one whose
 * network it could neither set up nor tear down. Returns the error for the caller.
 */
async function withoutLeftover(
  runtime: Runtime,
  { metadata }: Extract<Wanted, { kind: "pod" }>,
  { error, calledAtMs }: { readonly error: unknown; readonly calledAtMs: number },
): Promise<unknown> {
  if (!(error instanceof GatewayError) || !mayLeaveAPod(error)) return error;
  const podSandboxId = await findLeftover(runtime, metadata, calledAtMs).catch(() => undefined);
  if (podSandboxId === undefined) return error;
  try {
    const options = { deadlineMs: cleanUpMs };
    await call(runtime, "RuntimeService/RemovePodSandbox", { podSandboxId }, options);
    return error;
  } catch (failure) {
    const why = failure instanceof Error ? failure.message : String(failure);
    return new GatewayError(
      error.code,
      `${error.message}. Pod "${podSandboxId}" was left behind and could not be removed: ${why}`,
      { cause: error, members: { ...error.members, podSandboxId }, grpcCode: error.grpcCode },
    );
  }
}

/** After a lost reply the pod may be running. A refusal comes before anything is created. */
function mayLeaveAPod({ code, words }: GatewayError): boolean {
  return code !== "outcome_unknown" && code !== "invalid_request" && !nameTaken.test(words);
}

async function findLeftover(
  runtime: Runtime,
  metadata: PodSandboxMetadata,
  calledAtMs: number,
): Promise<string | undefined> {
  const filter = { state: { state: "SANDBOX_NOTREADY" as const } };
  const { items } = await call(runtime, "RuntimeService/ListPodSandbox", { filter });
  // Docker's times are whole seconds. containerd gives no time for a pod that never started.
  const earliest = BigInt(Math.floor(calledAtMs / 1000)) * 1_000_000_000n;
  return items.find(({ metadata: found, createdAt }) => {
    const created = BigInt(createdAt);
    return isSamePod(found, metadata) && (created <= 0n || created >= earliest);
  })?.id;
}
