/** The npm packages of the TypeScript client and of the linter, which are one package with one lock file. */
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../e2e/support/command.ts";
import { once, sourceFolder, workFolder } from "../cache.ts";
import { versions } from "../versions.ts";

const source = sourceFolder("typescript");
/** Has the `node_modules`. */
export const npmFolder = join(workFolder("typescript"), "package");

/** Installs what package-lock.json says. @throws {Error} when it is not what versions.ts says. */
export async function installNpm(): Promise<void> {
  const manifest = readFileSync(join(source, "package.json"), "utf8");
  const lock = readFileSync(join(source, "package-lock.json"), "utf8");
  const { devDependencies } = JSON.parse(manifest);
  for (const name of ["@redocly/cli", "openapi-typescript", "openapi-fetch"] as const) {
    if (devDependencies[name] !== versions[name])
      throw new Error(
        `test/sdk/typescript/package.json has ${name} ${devDependencies[name]}, versions.ts ${versions[name]}`,
      );
  }
  await once(npmFolder, `${manifest}${lock}${process.version}`, async () => {
    for (const name of ["package.json", "package-lock.json"])
      copyFileSync(join(source, name), join(npmFolder, name));
    await command(["npm", "ci", "--no-fund", "--no-audit", "--loglevel=error"], { cwd: npmFolder });
  });
}

/** The command line of a program that a package brings. */
export function npmProgram(name: string, ...args: readonly string[]): readonly [string, ...string[]] {
  return [join(npmFolder, "node_modules", ".bin", name), ...args];
}
