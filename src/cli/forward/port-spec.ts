/** Which local port leads to which port of the pod. */
import { StartError } from "../../errors.ts";

export interface PortSpec {
  /** 0: any free one. */
  readonly localPort: number;
  readonly podPort: number;
}

/** Reads `8080:80`, `80` or `:80`. @throws {StartError} */
export function parsePort(text: string): PortSpec {
  const [, local, pod = ""] = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text) ?? [];
  const podPort = Number(pod);
  const localPort = local === undefined ? podPort : Number(local);
  if (pod === "" || podPort < 1 || podPort > 0xffff || localPort > 0xffff)
    throw new StartError(
      `${text.slice(0, 64)}: expected a port from 1 to 65535: LOCAL:POD, such as 8080:80, or 80, or :80 for any free local port`,
    );
  return { localPort, podPort };
}

/** Addresses to listen on. @throws {StartError} */
export function parseAddresses(texts: readonly string[]): readonly string[] {
  const given = texts.flatMap((text) => text.split(","));
  const addresses = (given.length === 0 ? ["localhost"] : given).flatMap((text) => {
    const address = text.replace(/^\[(.*)\]$/, "$1");
    if (address === "localhost") return ["127.0.0.1", "::1"];
    if (address === "" || address.length > 255 || !/^[\w.:%-]+$/.test(address))
      throw new StartError(
        `--address=${text.slice(0, 64)}: expected an address of this machine, such as 127.0.0.1 or ::1`,
      );
    return [address];
  });
  return [...new Set(addresses)];
}
