/** The Debian packages that the end-to-end and browser tests need, installed where possible. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { install, missingPackages } from "../../src/embedded/requirements.ts";

/** What the tests need beyond `crest up`: programs with their packages. */
const forTests: readonly (readonly [program: string, packageName: string])[] = [
  ["/usr/bin/docker-registry", "docker-registry"],
  ["/usr/bin/curl", "curl"],
  ["/usr/bin/tmux", "tmux"],
  ["/usr/bin/zsh", "zsh"],
  ["/usr/bin/fish", "fish"],
  ["/usr/bin/systemd-analyze", "systemd"],
  ["/usr/bin/chromium", "chromium"],
  ["/usr/sbin/dockerd", "docker.io"],
  ["/usr/bin/docker-compose", "docker-compose"],
  ["/usr/bin/prometheus", "prometheus"],
];

/**
 * Installs what is missing, as root on Debian. Does nothing elsewhere: tests that need a package skip and say so.
 *
 * @throws {StartError} if a package cannot be installed.
 */
export async function ensurePackages(report: (step: string) => void): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const own = forTests.filter(([program]) => !existsSync(program)).map(([, packageName]) => packageName);
  if (!hasVenv()) own.push("python3", "python3-venv");
  const missing = [...(await missingPackages()), ...own];
  if (missing.length > 0) await install(missing, report);
}

/** Whether Python can create virtual environments, which needs a separate package on Debian. */
export function hasVenv(): boolean {
  return spawnSync("python3", ["-c", "import ensurepip, venv"]).status === 0;
}
