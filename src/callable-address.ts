/** Where a gateway can be called that listens on every address. */
import type { Config } from "./config.ts";

/** A wildcard address cannot be called, so use an accepted host name instead. */
export function callableAddress(address: string, { acceptHost }: Config): string {
  const usual = ["localhost", "127.0.0.1", "[::1]"];
  const name = acceptHost.find((one) => !usual.includes(one)) ?? "localhost";
  return address.replace(/\/\/(0\.0\.0\.0|\[::\]):/, `//${name}:`);
}
