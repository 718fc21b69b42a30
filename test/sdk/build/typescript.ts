import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../e2e/support/command.ts";
import { documentPath, sourceFolder } from "../cache.ts";
import type { Language } from "../language.ts";
import { versions } from "../versions.ts";
import { installNpm, npmFolder, npmProgram } from "./npm.ts";

const source = sourceFolder("typescript");
const client = join(npmFolder, "crest.d.ts");

/** Types of openapi-typescript, requests of openapi-fetch. */
export const typescript: Language = {
  generator: `openapi-typescript ${versions["openapi-typescript"]}`,
  tools: [{ probe: ["npm", "--version"], packages: ["npm"] }],
  install: installNpm,
  client,
  async generate() {
    await command(npmProgram("openapi-typescript", documentPath, "--output", client), { cwd: npmFolder });
  },
  async compile() {
    for (const name of ["tour.ts", "tsconfig.json"]) copyFileSync(join(source, name), join(npmFolder, name));
    await command(npmProgram("tsc", "--project", npmFolder));
  },
  program: [process.execPath, join(npmFolder, "out", "tour.js")],
};
