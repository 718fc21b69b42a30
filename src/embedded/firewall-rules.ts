/** The iptables rules of a network: the one that protects the node's loopback, and those of the CNI plugins. */

import { run } from "./command.ts";

/**
 * Drops packets from pods to the node's loopback addresses.
 *
 * For a pod with a host port, the `portmap` plugin sets `route_localnet` on the bridge. The kernel then accepts packets
 * from the bridge addressed to 127.0.0.0/8, so every pod could reach services that listen only on the node's loopback,
 * including this gateway (as in CVE-2020-8558). We drop them before they are routed and before `portmap` rewrites their
 * address, in the `mangle` table, because some kernels lack `raw`. Connections to a host port still work: replies from
 * a pod are addressed to the bridge.
 *
 * IPv6 needs no such rule. It has no `route_localnet`: the kernel always drops packets for ::1 that arrive from another
 * device.
 */
export async function protectLoopback(network: string): Promise<void> {
  const comment = `name: "${network}" keeps pods from the loopback of the node`;
  const match = ["-i", network, "-d", "127.0.0.0/8", "-m", "comment", "--comment", comment];
  const insert = ["iptables", "--wait", "10", "-t", "mangle", "-I", "PREROUTING"];
  await run([...insert, ...match, "-j", "DROP"]);
}

/**
 * Returns the iptables-restore(8) input that removes a network's rules and chains, given the output of
 * iptables-save(8). Undefined if there are none.
 *
 * The comment of a rule contains the network's name. `protectLoopback` writes it, and so do the plugins `bridge`
 * (masquerading) and `portmap`, for rules that jump to a pod's chain (`CNI-...`). That chain belongs to the pod alone.
 * Chains shared by all networks (`CNI-HOSTPORT-*`) stay, because another runtime may use them.
 */
export function ruleRemoval(network: string, saved: string): string | undefined {
  const sections = saved.split(/^(?=\*)/m).flatMap((section) => removalIn(section, network) ?? []);
  return sections.length === 0 ? undefined : sections.join("");
}

/** The same for one table, named in the first line of the section. */
function removalIn(section: string, network: string): string | undefined {
  const [table = "", ...lines] = section.split("\n");
  const mark = `name: \\"${network}\\"`;
  const rules = lines.filter((line) => line.startsWith("-A ") && line.includes(mark));
  if (rules.length === 0) return undefined;
  const podChains = rules.flatMap((rule) => / -j (CNI-(?!HOSTPORT-)\S+)/.exec(rule)?.[1] ?? []);
  const chains = [...new Set(podChains)];
  // Do not delete rules inside a chain that is flushed anyway.
  const outside = rules.filter((rule) => !chains.includes(rule.split(" ")[1] ?? ""));
  return [
    table,
    ...outside.map((rule) => rule.replace(/^-A /, "-D ")),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    "COMMIT",
    "",
  ].join("\n");
}

/** Removes the rules and chains of `network` from the machine. Atomic per table. */
export async function removeRules(network: string): Promise<void> {
  const removal = ruleRemoval(network, await run(["iptables-save"]));
  if (removal === undefined) return;
  await run(["iptables-restore", "--noflush", "--wait", "10"], { input: Buffer.from(removal) });
}
