/** Python's tools for YAML, in a virtual environment of their own: a validator of Kubernetes' manifests, a parser. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { once } from "../../sdk/cache.ts";
import { repositoryRoot } from "../../support/repository.ts";
import { command } from "./command.ts";
import { type Ended, runToEnd } from "./program.ts";

/** The validator has the schemas of each Kubernetes release in it, and asks no network. */
const packages = ["kubernetes-validate==1.37.0", "PyYAML==6.0.3"] as const;

export interface YamlTools {
  /** Runs the validator against a release of Kubernetes, as in `1.37`; a member that it does not know is an error. */
  validate(file: string, release: string): Promise<Ended>;
  /** Every document of a YAML file. */
  parse<Document>(file: string): Promise<readonly Document[]>;
}

/** Installs them into node_modules/.cache, once. */
export async function yamlTools(): Promise<YamlTools> {
  const folder = join(repositoryRoot(), "node_modules", ".cache", "yaml");
  mkdirSync(folder, { recursive: true });
  const venv = join(folder, "venv");
  const python = join(venv, "bin", "python");
  const pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"] as const;
  await once(venv, [await command(["python3", "--version"]), ...packages].join("\n"), async () => {
    await command(["python3", "-m", "venv", venv]);
    await command([...pip, ...packages]);
  });
  return {
    validate: (file, release) =>
      runToEnd([join(venv, "bin", "kubernetes-validate"), "--strict", "-k", release, file]),
    async parse<Document>(file: string) {
      if (!existsSync(file)) throw new Error(`Cannot read ${file}: it is not there`);
      const script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
      return JSON.parse(await command([python, "-c", script, file])) as readonly Document[];
    },
  };
}
