import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../e2e/support/command.ts";
import { documentPath, once, sourceFolder, workFolder } from "../cache.ts";
import type { Language } from "../language.ts";
import { versions } from "../versions.ts";

const source = sourceFolder("go");
const folder = workFolder("go");
const module = join(folder, "tour");
const program = join(module, "tour");
const client = join(module, "crest", "crest.gen.go");
const binaries = join(folder, "bin");
/** Proxy, checksums, toolchain and build cache stay what the machine has set. */
const env = { GOMODCACHE: join(folder, "modules"), GOBIN: binaries };
/** Without the last, the cache can be removed by nobody but root. */
const flags = ["-buildvcs=false", "-modcacherw"] as const;

/** The package of oapi-codegen: types, client, and the server and document that it adds by default. */
export const go: Language = {
  generator: `oapi-codegen ${versions["oapi-codegen"]}`,
  tools: [{ probe: ["go", "version"], packages: ["golang-go"] }],
  client,
  async install() {
    const target = `github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@${versions["oapi-codegen"]}`;
    const version = await command(["go", "version"]);
    await once(binaries, `${version}${target}`, async () => {
      await command(["go", "install", ...flags, target], { env });
    });
    mkdirSync(join(module, "crest"), { recursive: true });
    for (const name of ["go.mod", "go.sum", "tour.go"]) copyFileSync(join(source, name), join(module, name));
    await command(["go", "mod", "download", "-modcacherw"], { cwd: module, env });
  },
  async generate() {
    await command([join(binaries, "oapi-codegen"), "-package", "crest", "-o", client, documentPath]);
  },
  async compile() {
    await command(["go", "build", ...flags, "-mod=readonly", "-o", program, "."], { cwd: module, env });
    await command(["go", "vet", ...flags, "./..."], { cwd: module, env });
  },
  program: [program],
};
