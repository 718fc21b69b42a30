/** What docs/sdks.md shows for a language: its files and commands, in an empty folder. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "../e2e/support/command.ts";
import { startGateway } from "../e2e/support/gateway.ts";
import { documentedBlocks } from "../support/documents.ts";

/** Runs the blocks of a language, in order. @throws {Error} if one fails, or the program prints no greeting. */
export async function runDocumentedProgram(language: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "crest-documented-"));
  const gateway = await startGateway("up");
  try {
    const commands: string[] = [];
    for (const { info, text } of documentedBlocks()) {
      const [kind, of, file] = info.split(" ");
      if (of !== language) continue;
      if (file !== undefined) writeFileSync(join(folder, file), text);
      else if (kind === "sh") commands.push(text);
    }
    if (commands.length === 0) throw new Error(`No document has commands for ${language}`);
    const env = { CREST_URL: gateway.address, CREST_TOKEN: gateway.token };
    const printed = await command(["bash", "-c", `set -eu\n${commands.join("\n")}`], { cwd: folder, env });
    if (!/0 hello from \w+\s*$/.test(printed))
      throw new Error(`The program printed no greeting: ${printed.slice(-500)}`);
    const pods = await gateway.get<{ items: readonly unknown[] }>("/v1/pods");
    if (pods.body.items.length > 0) throw new Error("The program left its pod behind");
  } finally {
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
