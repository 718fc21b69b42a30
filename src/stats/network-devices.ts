/** The traffic of a pod's network interfaces, as the kernel counts it in the pod's network namespace. */
import { readFileSync, readlinkSync } from "node:fs";
import type { InterfaceUsage } from "./usage.ts";

/** Maximum number of interfaces per pod. A pod usually has one or two, but could create any number. */
const maxInterfaces = 16;

/**
 * Finds the namespace by the pid of a process in it; undefined if there is none. Empty in the gateway's own namespace,
 * since a pod in the node's network has no traffic of its own. Omits loopback.
 *
 * @param proc Default: `/proc`.
 */
export function networkOf(pid: number, proc = "/proc"): readonly InterfaceUsage[] | undefined {
  try {
    if (readlinkSync(`${proc}/${pid}/ns/net`) === readlinkSync(`${proc}/self/ns/net`)) return [];
    return parseNetworkDevices(readFileSync(`${proc}/${pid}/net/dev`, "latin1"));
  } catch {
    return undefined;
  }
}

/** Source: proc(5), /proc/net/dev. */
export function parseNetworkDevices(text: string): readonly InterfaceUsage[] {
  const found: InterfaceUsage[] = [];
  for (const line of text.split("\n").slice(2)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).trim();
    if (colon === -1 || name === "lo" || found.length === maxInterfaces) continue;
    const [received, packets, errors, dropped, , , , , sent, sentPackets, sendErrors, sendDropped] = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    found.push({
      name,
      ...{ receivedBytes: received ?? 0, receivedPackets: packets ?? 0 },
      ...{ receiveErrors: errors ?? 0, receiveDropped: dropped ?? 0 },
      ...{ sentBytes: sent ?? 0, sentPackets: sentPackets ?? 0 },
      ...{ sendErrors: sendErrors ?? 0, sendDropped: sendDropped ?? 0 },
    });
  }
  return found;
}
