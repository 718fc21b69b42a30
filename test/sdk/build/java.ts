import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../e2e/support/command.ts";
import { documentPath, once, sourceFolder, workFolder } from "../cache.ts";
import type { Language } from "../language.ts";
import { versions } from "../versions.ts";

const version = versions["openapi-generator"];
const folder = workFolder("java");
const repository = join(folder, "repository");
const binaries = join(folder, "bin");
const jar = join(binaries, `openapi-generator-cli-${version}.jar`);
const project = join(folder, "crest-client");
const sources = join(project, "src", "main", "java");
const built = join(project, "target");

const maven = (...args: readonly string[]) =>
  command(["mvn", "--quiet", "--batch-mode", `-Dmaven.repo.local=${repository}`, ...args], { cwd: folder });

/** The Maven project of openapi-generator for Java's own HTTP client, with the tour in it. */
export const java: Language = {
  generator: `openapi-generator ${version}`,
  tools: [
    { probe: ["javac", "-version"], packages: ["default-jdk-headless"] },
    { probe: ["mvn", "--version"], packages: ["maven"] },
  ],
  client: sources,
  async install() {
    await once(binaries, version, async () => {
      const artifact = `org.openapitools:openapi-generator-cli:${version}`;
      await maven("dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${binaries}`);
    });
  },
  async generate() {
    rmSync(project, { recursive: true, force: true });
    const options = ["--input-spec", documentPath, "--generator-name", "java", "--library", "native"];
    await command(["java", "-jar", jar, "generate", ...options, "--output", project]);
  },
  async compile() {
    copyFileSync(join(sourceFolder("java"), "Tour.java"), join(sources, "Tour.java"));
    await maven("--file", join(project, "pom.xml"), "compile", "dependency:copy-dependencies");
  },
  program: ["java", "-cp", `${join(built, "classes")}:${join(built, "dependency", "*")}`, "Tour"],
};
