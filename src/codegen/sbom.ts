/**
 * Makes the software bill of materials of the npm package, in the format of CycloneDX. `npm sbom` writes it, from the
 * lock file and not from the network.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LockFile, readJson } from "./installed-packages.ts";

interface Sbom {
  serialNumber: string;
  readonly metadata: { timestamp?: string };
}

/**
 * The text of sbom.cdx.json. The same lock file and npm give the same text, so that anyone can make the same package
 * again.
 *
 * @throws {Error} if npm fails.
 */
export function makeSbom(root: string): string {
  const folder = mkdtempSync(join(tmpdir(), "crest-sbom-"));
  try {
    const sbom = askNpm(copyWithoutDevelopment(root, folder));
    delete sbom.metadata.timestamp;
    sbom.serialNumber = "";
    sbom.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(sbom))}`;
    return `${JSON.stringify(sbom, null, 2)}\n`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Copies what names the packages, without those for development. `npm sbom --omit=dev` would also leave out what they
 * share with Crest itself (npm/cli#7909).
 *
 * @returns The folder of the copy. npm calls the package by its name.
 */
function copyWithoutDevelopment(root: string, parent: string): string {
  const { devDependencies: _, ...manifest } = readJson<{ name: string; devDependencies: object }>(
    root,
    "package.json",
  );
  const lock = readJson<LockFile>(root, "package-lock.json");
  const packages = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  const folder = join(parent, manifest.name);
  mkdirSync(folder);
  const write = (name: string, value: object) => writeFileSync(join(folder, name), JSON.stringify(value));
  write("package.json", manifest);
  write("package-lock.json", { ...lock, packages: { ...Object.fromEntries(packages), "": manifest } });
  return folder;
}

function askNpm(folder: string): Sbom {
  // What npm tells the scripts that it runs would have this npm work in their folder.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const args = ["sbom", "--sbom-format=cyclonedx", "--sbom-type=application", "--package-lock-only"];
  const { status, stdout, stderr, error } = spawnSync("npm", args, {
    ...{ cwd: folder, env, encoding: "utf8" },
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm sbom failed: ${error?.message ?? ""}${stdout}${stderr}`);
  return JSON.parse(stdout) as Sbom;
}

/** A UUID of version 8 (RFC 9562), from a digest of the text. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
