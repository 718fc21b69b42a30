import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { command } from "../../e2e/support/command.ts";
import { documentPath, once, sourceFolder, workFolder } from "../cache.ts";
import type { Language } from "../language.ts";
import { versions } from "../versions.ts";

const source = sourceFolder("python");
const folder = workFolder("python");
const venv = join(folder, "venv");
const binaries = join(venv, "bin");
const python = join(binaries, "python");
const project = join(folder, "crest-client");
const constraints = join(source, "constraints.txt");
/** poetry-core builds the client's package, mypy checks the tour. */
const packages = [
  `openapi-python-client==${versions["openapi-python-client"]}`,
  "poetry-core",
  "mypy",
] as const;

const pip = (...args: readonly string[]) =>
  command([python, "-m", "pip", "--quiet", "--disable-pip-version-check", ...args]);

/** The package of openapi-python-client, installed as its users do. */
export const python3: Language = {
  generator: `openapi-python-client ${versions["openapi-python-client"]}`,
  // Debian has the part of venv that brings pip in a package of its own.
  tools: [{ probe: ["python3", "-c", "import ensurepip, venv"], packages: ["python3", "python3-venv"] }],
  client: join(project, "crest_client"),
  async install() {
    const version = await command(["python3", "--version"]);
    await once(venv, [version, ...packages, readFileSync(constraints, "utf8")].join("\n"), async () => {
      await command(["python3", "-m", "venv", venv]);
      await pip("install", "--constraint", constraints, ...packages);
    });
  },
  async generate() {
    rmSync(project, { recursive: true, force: true });
    // It formats with the ruff that PATH has.
    await command([join(binaries, "openapi-python-client"), "generate", "--path", documentPath], {
      cwd: folder,
      env: { PATH: `${binaries}${delimiter}${process.env.PATH}` },
    });
  },
  async compile() {
    copyFileSync(join(source, "tour.py"), join(folder, "tour.py"));
    await pip("install", "--no-index", "--no-build-isolation", "--force-reinstall", "--no-deps", project);
    await pip("check");
    await command([python, "-m", "mypy", "--strict", "tour.py"], { cwd: folder });
  },
  program: [python, join(folder, "tour.py")],
};
