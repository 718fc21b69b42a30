/** The pod network: a bridge of our own, with a subnet that overlaps nothing on the machine. */

import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { StartError } from "../errors.ts";
import { makeFolder } from "../files/make-folder.ts";
import { readTrustedFile, replaceFile } from "../files/trusted-file.ts";
import { run } from "./command.ts";
import { protectLoopback, removeRules } from "./firewall-rules.ts";
import type { Paths } from "./paths.ts";
import { chooseSubnet, parseSubnet, type Subnet, subnetText } from "./subnet.ts";

/**
 * Chooses the subnet, writes the CNI configuration and creates the bridge. Pods cannot reach the node's loopback
 * through it.
 *
 * The bridge exists before the first pod, because its address keeps others, such as an embedded runtime with another
 * data folder, from choosing the same subnet.
 *
 * @throws {StartError} if every subnet is taken.
 */
export async function createNetwork(paths: Paths): Promise<void> {
  const subnet = chooseSubnet({
    taken: await takenSubnets(),
    remembered: rememberedSubnet(paths.subnet),
    seed: Number.parseInt(paths.network.slice(-8), 16),
  });
  if (subnet === undefined) {
    throw new StartError(
      "Cannot choose a subnet for pods: the machine's routes overlap every private subnet",
    );
  }
  await replaceFile(paths.subnet, `${subnetText(subnet)}\n`);
  await makeFolder(paths.cniConfDir, 0o700);
  await replaceFile(join(paths.cniConfDir, "10-crest.conflist"), cniConfig(paths, subnet));
  const { network } = paths;
  await protectLoopback(network);
  // Set the hardware address: by default a bridge takes the lowest of its ports, which changes as pods come and go.
  const hardware = `02:42:${network.slice(-8).replace(/..(?!$)/g, "$&:")}`;
  await run(["ip", "link", "add", "name", network, "address", hardware, "type", "bridge"]);
  await run(["ip", "addr", "add", `${gatewayOf(subnet)}/${subnet.prefix}`, "dev", network]);
  await run(["ip", "link", "set", network, "up"]);
}

/**
 * Removes the bridge, its pod links and firewall rules, and the records that libcni keeps for the plugins. The pods'
 * namespaces, with the other ends of the links, must be gone already.
 */
export async function removeNetwork({ network }: Paths): Promise<void> {
  const device = `/sys/class/net/${network}`;
  if (existsSync(device)) {
    // The kernel destroys a namespace shortly after its last user exits, and its links remain until then.
    for (const port of readdirSync(`${device}/brif`)) {
      await run(["ip", "link", "del", port]).catch(() => undefined);
    }
    await run(["ip", "link", "del", network]);
  }
  await removeRules(network);
  if (!existsSync(cniResultsDir)) return;
  for (const record of cniRecords(network, readdirSync(cniResultsDir))) {
    rmSync(join(cniResultsDir, record), { force: true });
  }
}

/** Where libcni keeps the results of plugins, for all runtimes on the machine. */
const cniResultsDir = "/var/lib/cni/results";

/**
 * Returns libcni's records (`NETWORK-POD-INTERFACE`) for pods on `network`: those with its name, and the loopback
 * records of the same pods, because the loopback network has the same name everywhere.
 */
export function cniRecords(network: string, records: readonly string[]): readonly string[] {
  const onNetwork = records.filter((name) => name.startsWith(`${network}-`));
  const pods = onNetwork.map((name) => name.slice(network.length + 1).replace(/-[^-]+$/, ""));
  return [...onNetwork, ...records.filter((name) => pods.some((pod) => name === `cni-loopback-${pod}-lo`))];
}

/** The CNI network configuration list (CNI specification 1.0.0) as JSON text. */
export function cniConfig(paths: Paths, subnet: Subnet): string {
  const config = {
    cniVersion: "1.0.0",
    name: paths.network,
    plugins: [
      {
        type: "bridge",
        bridge: paths.network,
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: paths.ipamDir,
          ranges: [[{ subnet: subnetText(subnet), gateway: gatewayOf(subnet) }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function gatewayOf(subnet: Subnet): string {
  return subnetText({ base: subnet.base + 1, prefix: 32 }).replace("/32", "");
}

function rememberedSubnet(path: string): Subnet | undefined {
  try {
    return parseSubnet(readTrustedFile(path).toString("utf8").trim());
  } catch {
    return undefined;
  }
}

/** The part of the output of `ip -j` that we read. */
interface IpAddresses {
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

async function takenSubnets(): Promise<readonly Subnet[]> {
  const [addresses, routes] = await Promise.all([
    run(["ip", "-4", "-j", "addr", "show"]),
    run(["ip", "-4", "-j", "route", "show", "table", "all"]),
  ]);
  return [
    ...(JSON.parse(addresses) as IpAddresses[])
      .flatMap((link) => link.addr_info ?? [])
      .map((address) => `${address.local}/${address.prefixlen}`),
    ...(JSON.parse(routes) as { readonly dst?: string }[]).map((route) => route.dst ?? "default"),
  ].flatMap((text) => parseSubnet(text) ?? []);
}
