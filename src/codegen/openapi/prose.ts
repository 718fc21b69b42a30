/** What the document says in words, besides the comments of the proto. */
import type { Route } from "../../routes/define.ts";

export const introduction = `Crest is the Kubernetes Container Runtime Interface (CRI) over HTTP. It stands on a node in front of containerd, CRI-O or cri-dockerd; each operation is one RPC of CRI v1, and its bodies are CRI's messages.

**JSON.** Names are lowerCamelCase, 64-bit integers are decimal strings, enums are written by name, bytes in base64; the value of an environment variable is plain text. Answers hold every field, defaults included; only a message that is not set is absent. In requests nothing is required but what the operation needs, and what is unknown, of a wrong type or out of range is refused with a JSON pointer. Besides the form published here the gateway takes snake_case names (so the files of \`crictl\` work unchanged), 64-bit integers as numbers, enums by number, and a plain string where an ImageSpec stands.

**Ids** may be shortened to a prefix that is unique.

**Lists** come in one stable order, newest first, with \`limit\` and \`continue\`, and with an ETag.

**Errors** are problems (RFC 9457): branch on \`code\`.

**Grants.** Nothing is permitted that was not granted when the gateway was started; \`x-crest-grant\` names what an operation needs.`;

export const tags = [
  { name: "runtime", description: "The runtime as a whole: versions, status, capabilities, metrics." },
  { name: "pods", description: "Pods: the sandboxes that containers share." },
  { name: "containers", description: "Containers: their life, usage, and commands in them." },
  { name: "images", description: "Images on this node, and pulls." },
  { name: "gateway", description: "The gateway itself." },
];

/** The tag of a route: what its path is about. */
export function tagOf(route: Route): string {
  const [, path = ""] = route.http.split(" ");
  if (/\/containers/.test(path)) return "containers";
  if (path.startsWith("/v1/metrics/")) return "runtime";
  if (/\/pods/.test(path)) return "pods";
  if (/\/image/.test(path)) return "images";
  return path === "/v1/grants" ? "gateway" : "runtime";
}

/** What an operation does that its RPC does not say, by route id. */
export const notes: { readonly [id: string]: string } = {
  runPod:
    "What is missing is filled in: `metadata.uid`, `metadata.namespace` (`default`), a log directory below the gateway's data folder, a cgroup parent of its own. The pod gets the label `crest/managed=true`.",
  createContainer:
    "The pod's config, which CRI wants here again, is recalled from the runtime; `sandboxConfig` overrides it. `logPath` is filled in when it is missing.",
  execSync:
    "Waits for the command's end: for interactive commands there is the WebSocket of the same path. Output is bounded by the runtime, to 16 MiB on most. 4 MiB are expected of each command that runs, within its caller's half of `--max-buffer`, so that by default 32 run at once. More wait up to 5 s for their turn, and are then refused with `overloaded` before they run.",
  stopContainer: "`timeout` is in seconds; 0 kills at once.",
  removeImage: "All names of the image go with it, whichever was given; the answer says which.",
  getImage: "Crest answers 404 for an image that is not on the node.",
  pullImage: "Waits until the image is there. `auth` is never logged.",
  getPodStats:
    "containerd measures the pod's cgroup parent. Each pod gets one of its own unless it names one; pods that name the same have their numbers together.",
  waitContainer: "When the timeout passes first the answer says `exited: false`; ask again.",
  getCapabilities: "Asks the runtime with requests that change nothing, once.",
  execContainer:
    'Every message is a channel byte and its payload: 0 stdin, 1 stdout, 2 stderr, 3 the status as JSON, 4 terminal sizes (`{"Width":80,"Height":24}`), 255 half-close (v5). The first message is empty and says that the session stands. Browsers offer the token as the subprotocol `base64url.bearer.authorization.k8s.io.TOKEN` beside a real one. With no stream named, stdout and stderr are meant. On containerd before 2.0, CRI-O and cri-dockerd a command goes on when its client leaves. containerd ends stdin when the command closes its stdout, and never sends the status of a command that left more than about 128 KiB of its stdin unread: after `--status-grace` the status says `exit unknown`.',
  attachContainer:
    "Speaks as exec does. Attaching to a container with `stdinOnce`: the first client that leaves ends its stdin. Without `stdinOnce` the container's stdin stays open whatever clients do; on containerd a half-close then ends the output of the attachment, too. containerd answers a little before it begins to hand on: a line that is written in that moment can be missed. A client that reads too slowly is dropped (4408), so that it does not stop the container.",
  forwardPorts:
    "Port i of the query has channel 2i for data and 2i+1 for errors; the first message on each is the port, as two bytes in little-endian order. With `raw=true` and one port, messages are the bytes.",
};
