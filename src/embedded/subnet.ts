/** IPv4 subnets, and choosing a free one. */

/** A range of IPv4 addresses, such as 10.88.0.0/24. */
export interface Subnet {
  /** The first address, as an unsigned number. */
  readonly base: number;
  /** Number of leading bits shared by all its addresses. */
  readonly prefix: number;
}

/** Parses `a.b.c.d/prefix` (host bits are cleared) or a single address. Returns undefined for anything else. */
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

/** Formats as `a.b.c.d/prefix`. */
export function subnetText({ base, prefix }: Subnet): string {
  return `${[24, 16, 8, 0].map((shift) => (base >>> shift) & 255).join(".")}/${prefix}`;
}

/** Whether the two have an address in common. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

export interface SubnetChoice {
  /** The subnets of the machine's addresses and routes. */
  readonly taken: readonly Subnet[];
  /** The choice of an earlier start, reused while it is free. */
  readonly remembered: Subnet | undefined;
  /** Where the search begins. Different data folders thus prefer different subnets. */
  readonly seed: number;
}

/** Blocks to search, in order of preference. The later ones are for machines whose network covers 10/8. */
const blocks = ["10.88.0.0/13", "172.24.0.0/13", "192.168.128.0/17"];

/**
 * Routes at least this wide mean "everything else", such as a VPN's 0.0.0.0/1, and cannot be avoided. The bridge's more
 * specific route takes precedence.
 */
const widestPrefix = 7;

/** Returns a /24 that overlaps nothing in `taken`, or undefined if there is none. */
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
