/**
 * The tables in src/ -> the documents that are published: openapi/openapi.json, .env.example, and parts of
 * README.md.
 *
 * `node dist/src/codegen/documents.js` writes them; with `--check` it writes nothing and fails when they
 * are not what it would write. Runs after src/gen is current and built, for it imports that.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envExample } from "../config.ts";
import { routes } from "../routes/index.ts";
import { version } from "../version.ts";
import { openApi } from "./openapi/document.ts";
import { readme } from "./readme.ts";

const wanted: ReadonlyMap<string, string> = new Map([
  [join("openapi", "openapi.json"), `${JSON.stringify(openApi(routes, version), null, 2)}\n`],
  [".env.example", envExample()],
  ["README.md", readme(readFileSync("README.md", "utf8"))],
]);

function present(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const stale = [...wanted].filter(([path, text]) => present(path) !== text);
if (process.argv.includes("--check")) {
  for (const [path] of stale) console.error(`stale: ${path}`);
  if (stale.length > 0) console.error("Run npm run generate");
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
