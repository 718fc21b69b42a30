/** Whose a log is, and which logs a reader asks for. */
import type { Container, PodSandbox } from "../gen/messages.ts";

/** The container that writes or wrote a log, and its pod, as far as CRI never changes them. */
export interface LogOwner {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly podSandboxId: string;
  /** Name and namespace of its pod. */
  readonly pod: string;
  readonly namespace: string;
  /** Those of the pod, and those of the container over them. */
  readonly labels: { readonly [key: string]: string };
  /** Those of the pod alone. Absent if they are not known any more. */
  readonly podLabels?: { readonly [key: string]: string } | undefined;
}

/** What is asked for; members that are absent choose everything. */
export interface Selection {
  readonly containerId?: string | undefined;
  readonly podSandboxId?: string | undefined;
  readonly namespace?: string | undefined;
  /** Name or id of the pod, or the first digits of its id, at least 8. */
  readonly pod?: string | undefined;
  /** Name of the container. */
  readonly container?: string | undefined;
  /** The labels of the container, and those of its pod where the container has no such label. */
  readonly matches?: ((labels: LogOwner["labels"]) => boolean) | undefined;
}

export function ownerOf(
  { id, metadata, podSandboxId, labels }: Container,
  pod: PodSandbox | undefined,
): LogOwner {
  return {
    id,
    name: metadata?.name ?? "",
    attempt: metadata?.attempt ?? 0,
    podSandboxId,
    pod: pod?.metadata?.name ?? "",
    namespace: pod?.metadata?.namespace ?? "",
    labels: { ...pod?.labels, ...labels },
    podLabels: pod?.labels,
  };
}

/** An owner whose name is not known may be the selected one. */
export function isSelected(
  owner: Omit<LogOwner, "name" | "attempt"> & { readonly name?: string },
  { containerId, podSandboxId, namespace, pod, container, matches }: Selection,
): boolean {
  if (containerId !== undefined && owner.id !== containerId) return false;
  if (podSandboxId !== undefined && owner.podSandboxId !== podSandboxId) return false;
  if (namespace !== undefined && owner.namespace !== namespace) return false;
  if (pod !== undefined && owner.pod !== pod && !isPrefix(pod, owner.podSandboxId)) return false;
  if (container !== undefined && owner.name !== undefined && owner.name !== container) return false;
  return matches === undefined || matches(owner.labels);
}

const isPrefix = (text: string, id: string): boolean => /^[0-9a-f]{8,64}$/.test(text) && id.startsWith(text);
