/** What the tests on a real runtime need of the machine. */
import { existsSync } from "node:fs";
import { missingPackages } from "../../../src/embedded/requirements.ts";
import { hasRegistry } from "../../support/registry.ts";

/** Why tests on a real runtime cannot run here, or false. */
export async function reasonToSkip({
  registry = false,
  systemd = false,
  terminal = false,
} = {}): Promise<string | false> {
  if (process.platform !== "linux") return `needs Linux, and this is ${process.platform}`;
  if (process.geteuid?.() !== 0) return `needs root, and this is user ${process.geteuid?.()}`;
  const missing = [...(await missingPackages())];
  if (registry && !hasRegistry) missing.push("docker-registry");
  if (systemd && !existsSync("/usr/bin/systemd-analyze")) missing.push("systemd");
  if (!existsSync("/usr/bin/curl")) missing.push("curl");
  if (terminal && !existsSync("/usr/bin/tmux")) missing.push("tmux");
  return missing.length > 0 ? `needs the packages ${missing.join(", ")}` : false;
}
