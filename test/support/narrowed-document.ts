/** Narrows the document to requests that reach the runtime: CRI's messages do not state what operations need. */
import type { OpenApiDocument, Schema } from "./openapi-document.ts";

interface Narrowing {
  /** The members that the operation needs. */
  readonly required?: readonly string[];
  /** Added to the property's own schema. */
  readonly properties?: { readonly [name: string]: Schema };
}

const name: Schema = { pattern: "^[a-z0-9]{4,12}$" };

/** Printable characters except those that are special to network plugins: "=" and ";". */
const handedToPlugins: Schema = { pattern: "^[ -:<>-~]{0,12}$" };

const path: Schema = { pattern: "^/[a-z]{1,8}$" };

const narrowings: { readonly [component: string]: Narrowing } = {
  RunPodBody: { required: ["metadata"] },
  CreateContainerBody: { required: ["metadata", "image"] },
  PodSandboxConfig: { required: ["metadata"] },
  PullImageRequest: { required: ["image"] },
  ExecSyncBody: { required: ["cmd"] },
  UpdateContainerResourcesBody: { required: ["linux"] },
  RestorePodRequest: { required: ["config"] },
  PodSandboxMetadataInput: {
    required: ["name"],
    properties: { name, namespace: handedToPlugins, uid: handedToPlugins },
  },
  ContainerMetadataInput: { required: ["name"], properties: { name } },
  ImageSpecInput: { required: ["image"] },
  ContainerConfig: { required: ["metadata", "image"] },
  KeyValue: { required: ["key"] },
  MountInput: { required: ["containerPath", "hostPath"], properties: { hostPath: path } },
  Device: { required: ["containerPath", "hostPath"], properties: { hostPath: path } },
  LinuxContainerSecurityContext: { required: ["runAsUser"] },
  LinuxSandboxSecurityContext: { required: ["runAsUser"] },
};

/** Returns a copy in which bodies must contain what their operations need. */
export function narrowedDocument(document: OpenApiDocument): OpenApiDocument {
  const schemas = Object.entries(document.components.schemas).map(([component, schema]) => {
    const { required, properties = {} } = narrowings[component] ?? {};
    if (required === undefined) return [component, schema] as const;
    const members = Object.entries(schema.properties ?? {}).map(
      ([member, of]) => [member, { ...of, ...properties[member] }] as const,
    );
    return [component, { ...schema, required, properties: Object.fromEntries(members) }] as const;
  });
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(schemas) } };
}
