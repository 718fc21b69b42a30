/** What the embedded runtime needs from the machine, and the Debian packages that provide it. */

import { existsSync, readFileSync } from "node:fs";
import { StartError } from "../errors.ts";
import { CommandError, run } from "./command.ts";
import { isStaticBinary } from "./static-binary.ts";

/** The folder of Debian's containernetworking-plugins. */
export const cniBinDir = "/usr/lib/cni";

/** The path of busybox-static, from which the two images are built. */
export const busyboxPath = "/bin/busybox";

/** Inspects the machine. Tests substitute their own. */
export interface Machine {
  readonly platform: string;
  /** Effective user id. Undefined on platforms without user ids. */
  readonly uid: number | undefined;
  /** Returns those of `programs` that are not on PATH. */
  missingPrograms(programs: readonly string[]): Promise<readonly string[]>;
  hasFile(path: string): boolean;
  hasStaticBinary(path: string): boolean;
}

interface Requirement {
  readonly package: string;
  readonly programs?: readonly string[];
  readonly files?: readonly string[];
  readonly staticBinary?: string;
}

const requirements: readonly Requirement[] = [
  { package: "containerd", programs: ["containerd", "ctr", "containerd-shim-runc-v2"] },
  { package: "runc", programs: ["runc"] },
  {
    package: "containernetworking-plugins",
    files: ["bridge", "host-local", "portmap", "loopback"].map((plugin) => `${cniBinDir}/${plugin}`),
  },
  // The plugins bridge (masquerading) and portmap call it.
  { package: "iptables", programs: ["iptables", "iptables-save", "iptables-restore"] },
  { package: "iproute2", programs: ["ip"] },
  // The dynamic package `busybox` has the same path, but does not run in an image.
  { package: "busybox-static", staticBinary: busyboxPath },
  { package: "mount", programs: ["umount"] },
];

/** The machine that runs this process. */
export const thisMachine: Machine = {
  platform: process.platform,
  uid: process.geteuid?.(),
  async missingPrograms(programs) {
    const script = 'for program; do command -v "$program" >/dev/null || echo "$program"; done';
    const missing = await run(["/bin/sh", "-c", script, "sh", ...programs]);
    return missing.split("\n").filter((line) => line !== "");
  },
  hasFile: existsSync,
  hasStaticBinary: (path) => existsSync(path) && isStaticBinary(readFileSync(path)),
};

/**
 * Returns the missing Debian packages in a fixed order.
 *
 * Checks for programs and files, not packages: a containerd unpacked by hand and on PATH counts too.
 */
export async function missingPackages(machine: Machine = thisMachine): Promise<readonly string[]> {
  const missing = new Set(await machine.missingPrograms(requirements.flatMap((row) => row.programs ?? [])));
  return requirements
    .filter(
      (row) =>
        row.programs?.some((program) => missing.has(program)) === true ||
        row.files?.some((file) => !machine.hasFile(file)) === true ||
        (row.staticBinary !== undefined && !machine.hasStaticBinary(row.staticBinary)),
    )
    .map((row) => row.package);
}

/** The shell command that installs `packages`. */
export function installCommand(packages: readonly string[]): string {
  return `apt-get install -y --no-install-recommends ${packages.join(" ")}`;
}

export interface RequireOptions {
  /** Whether apt-get may install what is missing. */
  readonly install: boolean;
  /** Called with one line for each step that takes long. */
  readonly report: (step: string) => void;
  /** Default: this machine. */
  readonly machine?: Machine;
}

/**
 * Checks that the machine can run an embedded runtime, and installs what is missing if allowed.
 *
 * @throws {StartError} if this is not Linux, the user is not root, pieces are missing and `install` is false (the
 *   message has the command), or apt-get fails.
 */
export async function requirePieces(options: RequireOptions): Promise<void> {
  const machine = options.machine ?? thisMachine;
  if (machine.platform !== "linux") {
    throw new StartError(`The embedded containerd needs Linux, but this is ${machine.platform}`);
  }
  if (machine.uid !== 0) {
    throw new StartError(`The embedded containerd needs root, but this is user ${machine.uid}`);
  }
  const missing = await missingPackages(machine);
  if (missing.length === 0) return;
  if (!options.install) {
    throw new StartError(
      `The embedded containerd needs packages that are missing; run this, or start with --install:\n\n  ${installCommand(missing)}\n`,
    );
  }
  await install(missing, options.report);
  const still = await missingPackages(machine);
  if (still.length > 0) {
    throw new StartError(
      `apt-get succeeded, but programs from these packages are still missing: ${still.join(", ")}`,
    );
  }
}

/**
 * Installs Debian packages.
 *
 * Retries once after `apt-get update` if the first attempt fails: on a fresh machine the package lists are empty or
 * name versions that the mirror no longer has. Does not retry if a signal (Ctrl-C) ended the attempt.
 *
 * @throws {StartError} with the error output of apt-get.
 */
export async function install(packages: readonly string[], report: (step: string) => void): Promise<void> {
  if ((await thisMachine.missingPrograms(["apt-get"])).length > 0) {
    throw new StartError(`Cannot install ${packages.join(", ")}: this machine has no apt-get`);
  }
  report(`Installing ${packages.join(", ")}`);
  try {
    return await aptGet(["install", "-y", "--no-install-recommends", ...packages]);
  } catch (error) {
    if (error instanceof CommandError && error.signal !== undefined) throw failure(packages, error);
    report("Updating the package lists");
  }
  try {
    await aptGet(["update"]);
    report(`Installing ${packages.join(", ")}`);
    await aptGet(["install", "-y", "--no-install-recommends", ...packages]);
  } catch (error) {
    throw failure(packages, error);
  }
}

function failure(packages: readonly string[], error: unknown): StartError {
  const { signal, stderr } = error instanceof CommandError ? error : { stderr: String(error) };
  const why = signal === undefined ? `apt-get said: ${stderr}` : `apt-get was ended by ${signal}`;
  return new StartError(`Cannot install ${packages.join(", ")}: ${why}`, { cause: error });
}

async function aptGet(args: readonly string[]): Promise<void> {
  // A fresh machine often runs its own upgrade at the same time: wait for its lock.
  const argv = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=120", ...args];
  await run(argv, { timeoutMs: 0, interruptible: true });
}
