/**
 * `node dist/test/sdk/main.js [lint|typescript|python|go|java ...]`: lints the published document, makes a
 * client of it in each language with that language's usual generator, runs the same tour with each of them against a
 * real gateway and containerd, and then the program in docs/sdks.md, in an empty folder. Without a name, checks all.
 * Installs what it needs, and needs root.
 *
 * Exits with 1 if one failed; none is ever left out.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { install } from "../../src/embedded/requirements.ts";
import { command } from "../e2e/support/command.ts";
import { reasonToSkip } from "../e2e/support/machine.ts";
import { go } from "./build/go.ts";
import { java } from "./build/java.ts";
import { lint } from "./build/lint.ts";
import { python3 } from "./build/python.ts";
import { typescript } from "./build/typescript.ts";
import { runDocumentedProgram } from "./documented-program.ts";
import type { Language, Tool } from "./language.ts";
import { startWorld } from "./world.ts";

const languages: { readonly [name: string]: Language } = { typescript, python: python3, go, java };
const names = ["lint", ...Object.keys(languages)];

/** Runs something, and says how long it took, in seconds. */
async function timed(what: string, step: () => Promise<unknown>): Promise<string> {
  const begin = performance.now();
  await step();
  return `${what} ${((performance.now() - begin) / 1000).toFixed(1)} s`;
}

/** @throws {Error} when a tool is missing and its packages do not bring it. */
async function ensureTool({ probe, packages }: Tool): Promise<void> {
  try {
    await command(probe);
  } catch {
    await install(packages, (step) => console.log(step));
    await command(probe);
  }
}

/** @throws {Error} when the tour fails or prints something else than it must. */
async function runTour({ program }: Language): Promise<void> {
  const world = await startWorld({ auth: true });
  try {
    const printed = await command(program, { env: world.env });
    if (printed !== world.transcript)
      throw new Error(`The tour printed\n\n${printed}\nand should have printed\n\n${world.transcript}`);
  } finally {
    await world.close();
  }
}

/** "18 files, 12,345 lines, 678 kB". */
function sizeOf(path: string): string {
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => join(path, name))
    : [path];
  const texts = files.filter((file) => /\.(ts|py|go|java)$/.test(file)).map((file) => readFileSync(file));
  const bytes = texts.reduce((sum, text) => sum + text.length, 0);
  const lines = texts.reduce((sum, text) => sum + text.toString("latin1").split("\n").length - 1, 0);
  const count = (value: number) => value.toLocaleString("en");
  return `${count(texts.length)} files, ${count(lines)} lines, ${count(Math.round(bytes / 1000))} kB`;
}

/** Does all that stands behind a name. @returns What it was about, in a line. */
async function check(name: string): Promise<string> {
  const language = languages[name];
  if (language === undefined) return `no warning, ${await timed("in", lint)}`;
  for (const tool of language.tools) await ensureTool(tool);
  const times = [
    await timed("install", () => language.install()),
    await timed("generate", () => language.generate()),
    await timed("compile", () => language.compile()),
    await timed("tour", () => runTour(language)),
    await timed("documented program", () => runDocumentedProgram(name)),
  ];
  return `${language.generator}: ${sizeOf(language.client)}; ${times.join(", ")}`;
}

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    console.error(`Cannot check ${unknown.join(", ")}: there are ${names.join(", ")}`);
    return 1;
  }
  const chosen = args.length > 0 ? args : names;
  const lacking = chosen.some((name) => name !== "lint") && (await reasonToSkip({ registry: true }));
  if (lacking) {
    console.error(`Cannot run the tours: this ${lacking}`);
    return 1;
  }
  let failed = 0;
  for (const name of chosen) {
    try {
      console.log(`passed  ${name}: ${await check(name)}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
