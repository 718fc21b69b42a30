/** The Debian packages that the end-to-end and browser tests need, installed when they may be. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { install, missingPackages } from "../../src/embedded/requirements.ts";

/** What tests need besides what `crest up` needs: a program, and the package that has it. */
const forTests: readonly (readonly [program: string, packageName: string])[] = [
  ["/usr/bin/docker-registry", "docker-registry"],
  ["/usr/bin/curl", "curl"],
  ["/usr/bin/systemd-analyze", "systemd"],
  ["/usr/bin/chromium", "chromium"],
  ["/usr/sbin/dockerd", "docker.io"],
  ["/usr/bin/docker-compose", "docker-compose"],
];

/**
 * Installs what is missing, as root on Debian; elsewhere nothing happens, and the tests that need it say so
 * when they skip.
 *
 * @throws {StartError} when a package cannot be installed.
 */
export async function ensurePackages(report: (step: string) => void): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const own = forTests.filter(([program]) => !existsSync(program)).map(([, packageName]) => packageName);
  if (!hasVenv()) own.push("python3", "python3-venv");
  const missing = [...(await missingPackages()), ...own];
  if (missing.length > 0) await install(missing, report);
}

/** Whether Python can make virtual environments: on Debian a package of its own brings what that takes. */
export function hasVenv(): boolean {
  return spawnSync("python3", ["-c", "import ensurepip, venv"]).status === 0;
}
