/** The pods of containers, by name. */
import { type Client, type Container, CrestError } from "../../client/index.ts";

/** `namespace/pod` of a container; undefined if it is not known. */
export type PodNameOf = (container: Container) => string | undefined;

/**
 * Containers have the id of their pod only. A kubelet's have its name in their labels; for others, the pods are listed,
 * if the caller may.
 */
export async function podNames(
  containers: readonly Container[],
  crest: Client,
  signal: AbortSignal,
): Promise<PodNameOf> {
  if (containers.every((container) => labelledName(container) !== undefined)) return labelledName;
  const names = new Map<string, string>();
  const pods = await crest
    .listPods({}, { signal })
    .page()
    .catch((error: unknown) => {
      if (error instanceof CrestError && error.code === "not_capable") return undefined;
      throw error;
    });
  for (const { id, metadata } of pods?.items ?? [])
    if (metadata !== undefined) names.set(id, `${metadata.namespace}/${metadata.name}`);
  return (container) => names.get(container.podSandboxId) ?? labelledName(container);
}

function labelledName({ labels }: Container): string | undefined {
  const name = labels["io.kubernetes.pod.name"];
  const namespace = labels["io.kubernetes.pod.namespace"];
  return name === undefined || namespace === undefined ? undefined : `${namespace}/${name}`;
}
