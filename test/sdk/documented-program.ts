/** What docs/sdks.md shows for a language: its files and commands, in an empty folder. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../e2e/support/command.ts";
import { documentedBlocks } from "../support/documents.ts";
import { startWorld } from "./world.ts";

/** The end of what a program prints: the steps of the pull, its result, the command's output, and the log twice. */
const expected =
  /(pull: \w+\n)+pulled sha256:\w{64}\n0 hello from \w+\nstdout begin\nstdout end\nlast line: end\s*$/;

/** Runs the blocks of a language, in order. @throws {Error} if one fails, or the program prints something else. */
export async function runDocumentedProgram(language: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "crest-documented-"));
  const world = await startWorld({ auth: false });
  const { gateway } = world;
  try {
    const commands: string[] = [];
    for (const { info, text } of documentedBlocks()) {
      const [kind, of, file] = info.split(" ");
      if (of !== language) continue;
      if (file !== undefined) writeFileSync(join(folder, file), text);
      else if (kind === "sh") commands.push(text);
    }
    if (commands.length === 0) throw new Error(`No document has commands for ${language}`);
    const { env } = world;
    const printed = await command(["bash", "-c", `set -eu\necho\n${commands.join("\n")}`], {
      cwd: folder,
      env,
    });
    if (!expected.test(printed)) throw new Error(`The program printed ${printed.slice(-500)}`);
    const pods = await gateway.get<{ items: readonly unknown[] }>("/v1/pods");
    if (pods.body.items.length > 0) throw new Error("The program left its pod behind");
  } finally {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
