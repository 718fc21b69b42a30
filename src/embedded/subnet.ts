/** IPv4 subnets, and the choice of one that is free. */

/** A range of IPv4 addresses, as in 10.88.0.0/24. */
export interface Subnet {
  /** The first address, as an unsigned number. */
  readonly base: number;
  /** Number of leading bits that all its addresses share. */
  readonly prefix: number;
}

/** The subnet of `a.b.c.d/prefix` (host bits are cleared) or of a lone address; undefined if it is neither. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (match === null) return undefined;
  const [, a, b, c, d, length = "32"] = match;
  const octets = [a, b, c, d].map(Number);
  const prefix = Number(length);
  if (octets.some((octet) => octet > 255) || prefix > 32) return undefined;
  const address = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  return { base: address - (address % sizeOf(prefix)), prefix };
}

/** `a.b.c.d/prefix`. */
export function subnetText({ base, prefix }: Subnet): string {
  return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join(".")}/${prefix}`;
}

/** Whether the two have an address in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

export interface SubnetChoice {
  /** Subnets of the machine's addresses and routes. */
  readonly taken: readonly Subnet[];
  /** The choice of an earlier start, kept while it is free. */
  readonly remembered: Subnet | undefined;
  /** Where the search begins, so that different data folders prefer different subnets. */
  readonly seed: number;
}

/** Blocks to search, in order of preference; the others are for machines on a network of all of 10/8. */
const blocks = ["10.88.0.0/13", "172.24.0.0/13", "192.168.128.0/17"];

/**
 * Routes this wide stand for "everything else", as a VPN's 0.0.0.0/1 does, and cannot be avoided:
 * the more specific route of the bridge wins.
 */
const widestPrefix = 7;

/** A /24 that overlaps nothing in `taken`; undefined when there is none. */
export function chooseSubnet({ taken, remembered, seed }: SubnetChoice): Subnet | undefined {
  const obstacles = taken.filter((subnet) => subnet.prefix > widestPrefix);
  const isFree = (candidate: Subnet) => !obstacles.some((obstacle) => overlaps(obstacle, candidate));
  if (remembered?.prefix === 24 && isFree(remembered)) return remembered;
  for (const block of blocks.flatMap((text) => parseSubnet(text) ?? [])) {
    const count = sizeOf(block.prefix) / 256;
    for (let index = 0; index < count; index++) {
      const candidate = { base: block.base + ((seed + index) % count) * 256, prefix: 24 };
      if (isFree(candidate)) return candidate;
    }
  }
  return undefined;
}

function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}
