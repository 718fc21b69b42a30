/**
 * A runtime as a caller sees it that may see only some pods: lists leave out the others, and calls by id answer that they
 * do not exist. So whatever is made of the replies cannot reveal them.
 */
import type { CallOptions, FailedMember, Runtime } from "../cri/channel.ts";
import { fieldAt, fieldNumbers, fieldsOf, replyItems } from "../cri/codec.ts";
import { GatewayError } from "../errors.ts";
import { methods, type Rpc } from "../gen/methods.ts";
import type { Kind } from "../inventory/inventory.ts";
import { absent } from "../inventory/references.ts";
import type { Visibility } from "../inventory/visibility.ts";
import { idsIn, withoutIds } from "../inventory/without-ids.ts";
import { type FieldPath, keepItems, stringAt } from "../wire/scan.ts";
import type { Interceptor } from "./compose.ts";

/** The items of a list, and whose they are. */
interface Owned {
  readonly field: string;
  readonly number: number;
  readonly kind: Kind;
  /** The id of the pod or the container in an item. */
  readonly id: FieldPath;
}

const owners: { readonly [R in Rpc]?: readonly [Kind, string] } = {
  "RuntimeService/ListPodSandbox": ["pod", "id"],
  "RuntimeService/StreamPodSandboxes": ["pod", "id"],
  "RuntimeService/ListContainers": ["pod", "podSandboxId"],
  "RuntimeService/StreamContainers": ["pod", "podSandboxId"],
  "RuntimeService/ListPodSandboxStats": ["pod", "attributes.id"],
  "RuntimeService/StreamPodSandboxStats": ["pod", "attributes.id"],
  "RuntimeService/ListContainerStats": ["container", "attributes.id"],
  "RuntimeService/StreamContainerStats": ["container", "attributes.id"],
  "RuntimeService/ListPodSandboxMetrics": ["pod", "podSandboxId"],
  "RuntimeService/StreamPodSandboxMetrics": ["pod", "podSandboxId"],
};

/** The fields of a request that name a pod or a container. */
const named = [
  ["pod", "podSandboxId"],
  ["container", "containerId"],
] as const satisfies readonly (readonly [Kind, string])[];

/** Whether replies of this RPC are known to hold only what a caller may see. For the test of the table. */
export const isFiltered = (rpc: Rpc): boolean => owners[rpc] !== undefined || namesOf(rpc).length > 0;

export const withVisible =
  (visibility: Visibility): Interceptor =>
  (below) => {
    const ownedBy = new Map<Rpc, Owned>();
    for (const [rpc, [kind, path]] of Object.entries(owners) as [Rpc, readonly [Kind, string]][]) {
      const field = fieldsOf(methods[rpc].response).find(({ repeated }) => repeated);
      if (field === undefined) throw new TypeError(`${rpc} answers no items`);
      const { name, number } = field;
      ownedBy.set(rpc, {
        field: name,
        number,
        kind,
        id: fieldNumbers(fieldAt(methods[rpc].response, name).type, path),
      });
    }

    async function visibleItems(
      rpc: Rpc,
      { field, number, kind, id }: Owned,
      reply: Buffer,
    ): Promise<Buffer> {
      const items = replyItems(rpc, reply, field);
      const ids = Array.from({ length: items.length }, (_, index) => stringAt(items, index, id));
      const seen = await visibility.among(kind, ids);
      return keepItems(items, number, (index) => seen.has(ids[index] ?? ""));
    }

    /** @throws {GatewayError} not_found: for a pod or a container that is not seen. */
    async function requireSeen(rpc: Rpc, request: Uint8Array): Promise<void> {
      for (const [kind, path] of namesOf(rpc)) {
        const whole = { wire: request, length: 1, ranges: Int32Array.of(0, request.length) };
        const id = stringAt(whole, 0, path);
        if (id !== "" && !(await visibility.among(kind, [id])).has(id)) throw absent(kind, id);
      }
    }

    /** Lists, and reports what cannot be read of what is seen. */
    async function list(
      rpc: Rpc,
      request: Uint8Array,
      owned: Owned,
      { onFailedMember, ...options }: CallOptions,
    ): Promise<Buffer> {
      const failed: FailedMember[] = [];
      const reply = await below.call(rpc, request, { ...options, onFailedMember: (one) => failed.push(one) });
      if (onFailedMember !== undefined && failed.length > 0) {
        const ids = failed.map(({ id }) => id);
        // A pod can be the member of a list of containers that cannot be read.
        const kinds = ["pod", "container"] as const;
        const seen = await Promise.all(kinds.map((kind) => visibility.among(kind, ids)));
        for (const one of failed) if (seen.some((some) => some.has(one.id))) onFailedMember(one);
      }
      return await visibleItems(rpc, owned, reply);
    }

    /** An error that tells of no other pod, not even in the words of the runtime. What the request says may stay. */
    async function withoutOthers(error: unknown, request: Uint8Array): Promise<unknown> {
      if (!(error instanceof GatewayError)) return error;
      const asked = Buffer.from(request).toString("latin1");
      const ids = new Set(idsIn(error).filter((id) => !asked.includes(id)));
      // If nobody can say whose they are, none is told.
      const hidden = await visibility.hidden([...ids]).catch(() => ids);
      const isPort = error.code === "port_in_use";
      if (hidden.size === 0 && !isPort) return error;
      return withoutIds(error, (id) => hidden.has(id), isPort ? withoutHolder : undefined);
    }

    return {
      ...below,
      async call(rpc, request, options = {}) {
        const owned = ownedBy.get(rpc);
        if (owned === undefined) await requireSeen(rpc, request);
        try {
          if (owned !== undefined) return await list(rpc, request, owned, options);
          return await below.call(rpc, request, options);
        } catch (error) {
          throw await withoutOthers(error, request);
        }
      },
      async *stream(rpc, request, options) {
        const owned = ownedBy.get(rpc);
        try {
          for await (const message of below.stream(rpc, request, options))
            yield owned === undefined ? message : await visibleItems(rpc, owned, message);
        } catch (error) {
          throw await withoutOthers(error, request);
        }
      },
    } satisfies Runtime;
  };

/** Does not tell which pod has a port. */
const withoutHolder = (text: string): string => text.replace(/ is in use by .*/s, " is in use");

const names = new Map<Rpc, readonly (readonly [Kind, FieldPath])[]>();

function namesOf(rpc: Rpc): readonly (readonly [Kind, FieldPath])[] {
  let found = names.get(rpc);
  if (found === undefined) {
    const type = methods[rpc].request;
    const fields = fieldsOf(type);
    found = named.flatMap(([kind, name]) =>
      fields.some((field) => field.name === name) ? [[kind, fieldNumbers(type, name)] as const] : [],
    );
    names.set(rpc, found);
  }
  return found;
}
