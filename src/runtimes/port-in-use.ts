/** How runtimes say that a port of the node is in use, by a pod or by another process. containerd never does. */

import type { Input } from "../cri/codec.ts";
import { anyOf, inOrder, type TextPattern } from "../cri/text-pattern.ts";
import type { FieldError } from "../errors.ts";
import type { RunPodSandboxRequest } from "../gen/messages.ts";

/** The words of Docker, with and without its proxy, and of CRI-O before it stopped opening the ports (cri-o/cri-o#8470). */
export const saysPortInUse: TextPattern = anyOf(
  inOrder("cannot open hostport ", ": bind: address already in use"),
  inOrder("driver failed programming external connectivity", "port is already allocated"),
  inOrder("driver failed programming external connectivity", "address already in use"),
  inOrder("failed to bind host port ", "address already in use"),
);

const ports = [
  /\bcannot open hostport (\d+) /,
  /\bBind for \S*:(\d+) failed/,
  /\bfailed to bind host port (?:for )?(?:\[[^\]\s]*\]|[^:\s]*):(\d+)/,
  /\blisten \w+ \S*:(\d+): bind: /,
];

/** All mappings of a request with the port that such a text names: not every text names address and protocol. */
export function placesInUse(request: object, text: string): readonly FieldError[] {
  const port = ports.map((pattern) => pattern.exec(text)?.[1]).find((found) => found !== undefined);
  const { config } = request as Input<RunPodSandboxRequest>;
  return (config?.portMappings ?? []).flatMap(({ hostPort }, index) =>
    String(hostPort) === port ? [{ pointer: hostPortPointer(index), detail: text }] : [],
  );
}

/** Where RunPodSandbox has the host port of its mapping `index`. */
export const hostPortPointer = (index: number): string => `/config/portMappings/${index}/hostPort`;
