/** Redocly's `recommended` rules over the document, where a warning fails too. */

import { command } from "../../e2e/support/command.ts";
import { documentPath } from "../cache.ts";
import { installNpm, npmFolder, npmProgram } from "./npm.ts";

/** @throws {Error} with what the linter found. */
export async function lint(): Promise<void> {
  await installNpm();
  await command(npmProgram("redocly", "lint", "--extends=recommended-strict", documentPath), {
    // Where no redocly.yaml lies.
    cwd: npmFolder,
    env: { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
  });
}
