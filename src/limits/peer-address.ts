/** Who a connection comes from, as far as anyone can tell before a token has come. */

/**
 * A key for the peer's address, under which its connections and requests are counted. One customer usually has a whole
 * IPv6 network of 64 bits, so all of its addresses have one key. Undefined for a Unix socket, which only its owner can
 * reach.
 */
export function peerKey(remoteAddress: string | undefined): string | undefined {
  if (remoteAddress === undefined) return undefined;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(remoteAddress)?.[1];
  if (mapped !== undefined) return mapped;
  if (!remoteAddress.includes(":")) return remoteAddress;
  const [address = ""] = remoteAddress.split("%");
  const [head = "", tail] = address.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: zeros }, () => "0"), ...after];
  // All of `::/64` is one network, but only `::1` is this machine.
  return address === "::1" ? address : `${groups.slice(0, 4).join(":")}::/64`;
}

/** Whether the peer is on this machine: often a proxy, which speaks for many. */
export const isLocalPeer = (key: string): boolean => key === "::1" || key.startsWith("127.");
