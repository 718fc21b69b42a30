/** Makes THIRD-PARTY.md: the licenses of what is installed with Crest. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type InstalledPackage, installedPackages, type LockFile, readJson } from "./installed-packages.ts";

/**
 * Licenses that a package which is installed with Crest may have. They ask for their notice and nothing of Crest's own
 * license. Whoever adds another one must have read it.
 */
export const permittedLicenses: ReadonlySet<string> = new Set([
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-3-Clause",
  "ISC",
  "MIT",
]);

/**
 * @throws {Error} if a package is not installed as the lock file says, or has a license that is not permitted.
 */
export function thirdPartyNotice(root: string): string {
  const packages = installedPackages(readJson<LockFile>(root, "package-lock.json"));
  const rows = packages.map((one) => {
    const { license, version } = readJson<{ license?: unknown; version: string }>(
      root,
      one.path,
      "package.json",
    );
    if (version !== one.version)
      throw new Error(`Cannot list ${one.name}: ${version} is installed and not ${one.version}. Run npm ci`);
    return `| ${one.name} | ${one.version} | ${checkedLicense(one.name, license)} | ${holdersOf(root, one)} |\n`;
  });
  return `${introduction}${rows.join("")}${end}`;
}

/** @throws {Error} if `license`, an SPDX identifier, is not a permitted one. */
export function checkedLicense(name: string, license: unknown): string {
  if (typeof license === "string" && permittedLicenses.has(license)) return license;
  const said = license === undefined ? "no license" : `the license ${JSON.stringify(license)}`;
  const permitted = [...permittedLicenses].join(", ");
  throw new Error(`Cannot list ${name}: it has ${said}, and permitted are ${permitted}`);
}

/** Who holds the rights, as the text of the license in the package says; empty if there is none, or it does not say. */
function holdersOf(root: string, { path }: InstalledPackage): string {
  const file = readdirSync(join(root, path)).find((name) => /^(licen[cs]e|copying)\b/i.test(name));
  if (file === undefined) return "";
  const text = readFileSync(join(root, path, file), "utf8");
  const holders = text.split("\n").flatMap((line) => {
    const [, holder] = /^\W*(Copyright\b.*\d{4}.*|Copyright (?:\(c\)|©).*)$/i.exec(line.trim()) ?? [];
    return holder === undefined ? [] : [holder.replaceAll("|", "\\|").replaceAll("<", "&lt;").trim()];
  });
  return holders.join("<br>");
}

const introduction = `# Third-party software

<!-- Made by src/codegen/third-party.ts. Do not edit: npm run generate. -->

## Installed with Crest

\`npm ci --omit=dev\` installs these packages, and the image has them. The text of a license is in the
folder of the package below \`node_modules/\`; the last column has the lines of it that name who holds the rights.
Crest's own package holds none of these: npm fetches them when it installs Crest, and may then choose newer versions.

| package | version | license | notice |
|---|---|---|---|
`;

const end = `
## Written after definitions of others

\`proto/runtime/v1/api.proto\` has the packages, services, field numbers and types of the Container Runtime Interface,
from https://github.com/kubernetes/cri-api, and \`proto/containerd/\` those of https://github.com/containerd/containerd
and https://github.com/containerd/cgroups. All three have the Apache License 2.0, and their rights are held by The
Kubernetes Authors and The containerd Authors. The comments are Crest's. \`src/gen/\` and \`openapi/openapi.json\` are made
from these files.

## Not part of Crest

What Crest uses if it is there comes with a license of its own: Node and the rest of the image's base, the container
runtime, the Debian packages that \`crest up --install\` installs, and the optional packages for OpenTelemetry.
`;
