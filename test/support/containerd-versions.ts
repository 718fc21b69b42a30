/**
 * The generations of containerd for the end-to-end tests: the one of this Debian and those of later suites, whose
 * binaries run here too. Fetched once into node_modules/.cache and put first on PATH.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./repository.ts";

export interface ContainerdVersion {
  /** The suite it is from, used as its name. */
  readonly suite: string;
  /** The folder with its binaries. Undefined for the installed one. */
  readonly binaries: string | undefined;
  /** The version that `containerd --version` reports. */
  readonly version: string;
}

/** A generation that is not available, and why. */
export interface MissingVersion {
  readonly suite: string;
  readonly why: string;
}

/** Suites after this Debian 12: containerd 1.7 and 2.x. The version in sid changes over time. */
const laterSuites = ["trixie", "sid"] as const;
const mirror = "http://deb.debian.org/debian";
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The installed containerd first, then each later one that can be fetched. */
export function containerdVersions(): readonly (ContainerdVersion | MissingVersion)[] {
  return [versionOf("installed", undefined), ...laterSuites.map(fetchSuite)];
}

function fetchSuite(suite: string): ContainerdVersion | MissingVersion {
  const folder = join(repositoryRoot(), "node_modules", ".cache", "crest", "containerd", suite);
  const binaries = join(folder, "root", "usr", "bin");
  if (!existsSync(join(binaries, "containerd"))) {
    const why = download(suite, folder);
    if (why !== undefined) return { suite, why };
  }
  return versionOf(suite, binaries);
}

/** Uses apt with its own lists, so that this machine's packages do not change. Returns the error, if any. */
function download(suite: string, folder: string): string | undefined {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["lists/partial", "archives/partial", "root"])
    mkdirSync(join(folder, name), { recursive: true });
  const sources = join(folder, "sources.list");
  writeFileSync(sources, `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
  const apt = [
    "-o",
    `Dir::Etc::SourceList=${sources}`,
    "-o",
    "Dir::Etc::SourceParts=/nonexistent",
    "-o",
    `Dir::State::Lists=${join(folder, "lists")}`,
    "-o",
    `Dir::Cache=${folder}`,
    "-o",
    `Dir::Cache::archives=${join(folder, "archives")}`,
    "-o",
    "APT::Sandbox::User=root",
  ];
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ["apt-get", [...apt, "-qq", "update"]],
    ["apt-get", [...apt, "-qq", "download", "containerd"]],
  ];
  for (const [program, args] of steps) {
    const { status, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
    if (status !== 0)
      return `${program} ${args.at(-1)}: ${error?.message ?? stderr.trim().split("\n").at(-1)}`;
  }
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (archive === undefined) return "apt-get download left no package";
  const { status, stderr } = spawnSync("dpkg-deb", ["-x", archive, "root"], {
    cwd: folder,
    encoding: "utf8",
  });
  rmSync(join(folder, "lists"), { recursive: true, force: true });
  return status === 0 ? undefined : `dpkg-deb: ${stderr.trim()}`;
}

function versionOf(suite: string, binaries: string | undefined): ContainerdVersion | MissingVersion {
  const program = binaries === undefined ? "containerd" : join(binaries, "containerd");
  const { stdout, error } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (error) return { suite, why: `${program}: ${error.message}` };
  const version = stdout.split(/\s+/).find((word) => /^v?\d+\.\d+/.test(word));
  return version === undefined ? { suite, why: `it says "${stdout.trim()}"` } : { suite, binaries, version };
}
