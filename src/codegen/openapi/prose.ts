/** The document's description of the API as a whole. */
import type { Route } from "../../routes/define.ts";

export const introduction = `Crest is the Kubernetes Container Runtime Interface (CRI) over HTTP. It runs on a node, in front of containerd, CRI-O or cri-dockerd. Each operation calls one RPC of CRI v1, and bodies are CRI's messages.

**JSON.** Names are lowerCamelCase. 64-bit integers are decimal strings, enums are written by name, bytes in base64; the value of an environment variable is plain text. Answers hold every field, defaults included; only a message that is not set is absent. In requests only the fields that are marked as required must be there. An unknown field, a wrong type or a value out of range is refused, with a JSON pointer to it. Besides the form that is published here, the gateway takes snake_case names, 64-bit integers as numbers, enums by number, and a plain string in place of an ImageSpec.

**YAML.** A body may be YAML 1.2 as well, with \`Content-Type: application/yaml\`: one document of what JSON can say, under the same rules.

**Files of crictl** work unchanged, in JSON and in YAML. What crictl passes over in silence, a \`kind\` or a misspelt field, is left out and named in a \`Warning\` header; \`fieldValidation\` decides otherwise, for any body.

**Ids** may be shortened, as long as they stay unique. A name is not an id.

**Lists** have one stable order. \`limit\` and \`continue\` give them page by page, and most have an ETag.

**Errors** are problems (RFC 9457): programs branch on \`code\`, people read \`detail\`.

**Grants.** A caller may do what the gateway was started with, and nothing else; \`x-crest-grant\` names what an operation needs.`;

export const tags = [
  { name: "runtime", description: "The runtime as a whole: versions, status, capabilities, metrics." },
  { name: "pods", description: "Pods: the sandboxes that containers share." },
  { name: "containers", description: "Containers: their life, usage, and commands in them." },
  { name: "images", description: "Images on this node, and pulls." },
  { name: "gateway", description: "The gateway itself." },
];

/** Returns a route's tag, which follows from its path. */
export function tagOf(route: Route): string {
  const [, path = ""] = route.http.split(" ");
  if (/\/containers/.test(path) || path === "/v1/logs") return "containers";
  if (path.startsWith("/v1/metrics/")) return "runtime";
  if (/\/pods/.test(path)) return "pods";
  if (/\/image/.test(path)) return "images";
  return path === "/v1/grants" ? "gateway" : "runtime";
}
