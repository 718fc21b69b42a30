/** The iptables rules of a network: the one that protects the node's loopback, and the CNI plug-ins' own. */

import { run } from "./command.ts";

/**
 * Drops what pods send to the node's loopback addresses.
 *
 * For a pod with a host port, the plug-in `portmap` sets `route_localnet` on the bridge. From then on the kernel takes
 * packets from the bridge that are addressed to 127.0.0.0/8, so that every pod could reach what listens on the
 * node's loopback only, this gateway among it (as in CVE-2020-8558). They are dropped before they are routed and
 * before `portmap` changes their address, in the table `mangle`, because some kernels do not have `raw`. Connections
 * to a host port are not affected: what comes back from a pod is addressed to the bridge.
 *
 * IPv6 needs no such rule. It has no `route_localnet`: the kernel always drops packets for ::1 that come from
 * another device.
 */
export async function protectLoopback(network: string): Promise<void> {
  const comment = `name: "${network}" keeps pods from the loopback of the node`;
  const match = ["-i", network, "-d", "127.0.0.0/8", "-m", "comment", "--comment", comment];
  const insert = ["iptables", "--wait", "10", "-t", "mangle", "-I", "PREROUTING"];
  await run([...insert, ...match, "-j", "DROP"]);
}

/**
 * The iptables-restore(8) input that removes a network's rules and chains from what iptables-save(8) printed;
 * undefined when it has none.
 *
 * A rule is told by the network's name in its comment: `protectLoopback` writes it there, and so do the plug-ins
 * `bridge` (masquerading) and `portmap`, for the rules that jump to a pod's chain (`CNI-...`). That chain is the
 * pod's alone. Chains that all networks share (`CNI-HOSTPORT-*`) stay: another runtime may be using them.
 */
export function ruleRemoval(network: string, saved: string): string | undefined {
  const sections = saved.split(/^(?=\*)/m).flatMap((section) => removalIn(section, network) ?? []);
  return sections.length === 0 ? undefined : sections.join("");
}

/** The same for one table, whose name is in the section's first line. */
function removalIn(section: string, network: string): string | undefined {
  const [table = "", ...lines] = section.split("\n");
  const mark = `name: \\"${network}\\"`;
  const rules = lines.filter((line) => line.startsWith("-A ") && line.includes(mark));
  if (rules.length === 0) return undefined;
  const podChains = rules.flatMap((rule) => / -j (CNI-(?!HOSTPORT-)\S+)/.exec(rule)?.[1] ?? []);
  const chains = [...new Set(podChains)];
  // A rule inside a chain that is flushed anyway may not be deleted too.
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

/** Removes the rules and chains of `network` from the machine, in each table all or none. */
export async function removeRules(network: string): Promise<void> {
  const removal = ruleRemoval(network, await run(["iptables-save"]));
  if (removal === undefined) return;
  await run(["iptables-restore", "--noflush", "--wait", "10"], { input: Buffer.from(removal) });
}
