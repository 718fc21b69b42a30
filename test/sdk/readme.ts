/** What README.md shows of a language, done by a stranger: its files and commands, in an empty folder. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../e2e/support/command.ts";
import { startGateway } from "../e2e/support/gateway.ts";
import { blocksOf } from "../e2e/support/readme.ts";
import { repositoryRoot } from "../support/repository.ts";

/** Runs the blocks of a language, in their order. @throws {Error} when one fails, or the program does not greet. */
export async function runReadme(language: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "crest-readme-"));
  const gateway = await startGateway("up");
  try {
    const commands: string[] = [];
    for (const { info, text } of blocksOf(readFileSync(join(repositoryRoot(), "README.md"), "utf8"))) {
      const [kind, of, file] = info.split(" ");
      if (of !== language) continue;
      if (file !== undefined) writeFileSync(join(folder, file), text);
      else if (kind === "sh") commands.push(text);
    }
    if (commands.length === 0) throw new Error(`README.md has no commands for ${language}`);
    const env = { CREST_URL: gateway.address, CREST_TOKEN: gateway.token };
    const printed = await command(["bash", "-c", `set -eu\n${commands.join("\n")}`], { cwd: folder, env });
    if (!/0 hello from \w+\s*$/.test(printed))
      throw new Error(`The program did not greet: ${printed.slice(-500)}`);
    const pods = await gateway.get<{ items: readonly unknown[] }>("/v1/pods");
    if (pods.body.items.length > 0) throw new Error("The program left its pod behind");
  } finally {
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
