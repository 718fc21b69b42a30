/** The DaemonSet that is shipped, as far as tests look at it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { repositoryRoot } from "../../support/repository.ts";
import type { YamlTools } from "./yaml-tools.ts";

export interface PodSpec {
  readonly hostNetwork: boolean;
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
  readonly containers: readonly [Container];
}

export interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly ports: readonly [{ readonly name: string; readonly containerPort: number }];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: {
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly capabilities: { readonly drop: readonly string[] };
  };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

export interface Probe {
  readonly httpGet: { readonly host: string; readonly port: string; readonly path: string };
}

export const manifest: string = join(repositoryRoot(), "deploy", "kubernetes", "crest.yaml");

type Document =
  | { readonly kind: "Namespace" }
  | { readonly kind: "DaemonSet"; readonly spec: { readonly template: { readonly spec: PodSpec } } };

/** What its pods are like. */
export async function readPodSpec(tools: Pick<YamlTools, "parse">): Promise<PodSpec> {
  const documents = await tools.parse<Document>(manifest);
  const daemonSet = documents.find((document) => document.kind === "DaemonSet");
  assert.ok(daemonSet !== undefined, `${manifest} has no DaemonSet`);
  return daemonSet.spec.template.spec;
}
