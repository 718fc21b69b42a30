/** Removes what the CNI plug-ins `bridge` (masquerading) and `portmap` left in the nat table. */

import { run } from "./command.ts";

/**
 * The iptables-restore(8) input that removes a network's rules and chains from what
 * `iptables-save -t nat` printed; undefined when it has none.
 *
 * The plug-ins write the network's name into a comment of the rules that jump to a pod's chain
 * (`CNI-...`), and that chain is the pod's alone. Chains that all networks share (`CNI-HOSTPORT-*`)
 * stay: another runtime may be using them.
 */
export function natRemoval(network: string, saved: string): string | undefined {
  const mark = `name: \\"${network}\\"`;
  const rules = saved.split("\n").filter((line) => line.startsWith("-A ") && line.includes(mark));
  if (rules.length === 0) return undefined;
  const podChains = rules.flatMap((rule) => / -j (CNI-(?!HOSTPORT-)\S+)/.exec(rule)?.[1] ?? []);
  const chains = [...new Set(podChains)];
  // A rule inside a chain that is flushed anyway may not be deleted too.
  const outside = rules.filter((rule) => !chains.includes(rule.split(" ")[1] ?? ""));
  return [
    "*nat",
    ...outside.map((rule) => rule.replace(/^-A /, "-D ")),
    ...chains.map((chain) => `-F ${chain}`),
    ...chains.map((chain) => `-X ${chain}`),
    "COMMIT",
    "",
  ].join("\n");
}

/** Removes the rules and chains of `network` from the machine, all or none. */
export async function removeNatRules(network: string): Promise<void> {
  const removal = natRemoval(network, await run(["iptables-save", "-t", "nat"]));
  if (removal === undefined) return;
  await run(["iptables-restore", "--noflush", "--wait", "10"], { input: Buffer.from(removal) });
}
