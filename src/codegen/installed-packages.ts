/** The packages that are installed with Crest: those of the lock file that are not only for its development. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface InstalledPackage {
  /** Below the root: `node_modules/ajv/node_modules/fast-uri`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** Base64, with the algorithm in front: `sha512-...`. */
  readonly integrity: string;
}

/** package-lock.json, as far as it is used here. */
export interface LockFile {
  readonly packages: { readonly [path: string]: LockedPackage };
}

interface LockedPackage {
  readonly name?: string;
  readonly version?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
}

/** What `npm ci --omit=dev` installs, in the order of the paths. */
export function installedPackages({ packages }: LockFile): readonly InstalledPackage[] {
  return Object.entries(packages).flatMap(([path, { name, version = "", integrity = "", dev }]) =>
    path === "" || dev === true
      ? []
      : [{ path, name: name ?? path.slice(path.lastIndexOf("node_modules/") + 13), version, integrity }],
  );
}

/** Reads JSON at a path below `root`. */
export function readJson<T>(root: string, ...path: readonly string[]): T {
  return JSON.parse(readFileSync(join(root, ...path), "utf8")) as T;
}
