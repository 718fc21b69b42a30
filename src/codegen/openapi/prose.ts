/** The document's description of the API as a whole. */
import type { Route } from "../../routes/define.ts";

export const introduction = `Crest is the Kubernetes Container Runtime Interface (CRI) over HTTP. It runs on a node, in front of containerd, CRI-O or cri-dockerd. Each operation calls one RPC of CRI v1, and bodies are CRI's messages.

**JSON.** Names are lowerCamelCase. 64-bit integers are decimal strings, enums are names, and bytes are base64, except that the value of an environment variable is plain text. Responses contain every field, including defaults; only unset messages are absent. Requests need only the fields marked as required. Unknown fields, wrong types and values out of range are refused with a JSON pointer to the mistake. The gateway also accepts snake_case names, 64-bit integers as numbers, enums as numbers, and a plain string for an ImageSpec.

**YAML.** A body can also be YAML 1.2, with \`Content-Type: application/yaml\`: a single document, limited to what JSON can express, under the same rules.

**Files of crictl** work unchanged, in JSON and in YAML. Fields that crictl silently ignores, such as \`kind\` or a misspelt name, are dropped and named in a \`Warning\` header. \`fieldValidation\` changes this for any body.

**Ids** can be shortened to a unique prefix. A name can take the place of an id: of a pod \`web\` or \`demo%2Fweb\`, of a container \`main\`, \`web%2Fmain\` or \`demo%2Fweb%2Fmain\`. Ids come first, then names; what is ambiguous is refused with the candidates. Under one name, the one that is alive is meant, or else the newest.

**Retries.** Operations that create something take an \`Idempotency-Key\`: a repeated request gets the first answer, and nothing is created twice.

**Lists** have a stable order. Use \`limit\` and \`continue\` to read them in pages. Most have an ETag.

**Errors** are problems (RFC 9457): \`code\` is for programs, \`detail\` for people.

**Grants.** A caller may only do what the gateway was started to allow; \`x-crest-grant\` names the grant that an operation needs. Each caller has a token of its own, which may do less.`;

export const tags = [
  { name: "runtime", description: "The runtime: versions, status, capabilities, metrics." },
  { name: "pods", description: "Pods: the sandboxes that containers share." },
  { name: "containers", description: "Containers: lifecycle, usage, logs, and commands." },
  { name: "images", description: "Images on the node, and pulls." },
  { name: "gateway", description: "The gateway itself." },
];

/** Returns a route's tag, which follows from its path. */
export function tagOf(route: Route): string {
  const [, path = ""] = route.http.split(" ");
  if (/\/containers/.test(path) || path === "/v1/logs" || path === "/v1/run") return "containers";
  if (path.startsWith("/v1/metrics/")) return "runtime";
  if (/\/pods/.test(path)) return "pods";
  if (/\/image/.test(path)) return "images";
  return path === "/v1/grants" || path.startsWith("/v1/tokens") ? "gateway" : "runtime";
}
