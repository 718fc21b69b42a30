/**
 * Generates what derives from the tables in src/: openapi/openapi.json, the operations and types of the client in
 * src/client/gen, .env.example, THIRD-PARTY.md, and the generated parts of README.md and docs/.
 *
 * `node dist/src/codegen/documents.js` writes them. With `--check` it writes nothing and fails if a file is stale. It
 * imports src/gen, so generate and build that first.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envExample } from "../config.ts";
import { routes } from "../routes/index.ts";
import { version } from "../version.ts";
import { printOperations } from "./client/print-operations.ts";
import { printTypes } from "./client/print-types.ts";
import { withMadeParts } from "./made-parts.ts";
import { openApi } from "./openapi/document.ts";
import { thirdPartyNotice } from "./third-party.ts";

const markdown = [
  "README.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

const document = openApi(routes, version);

const wanted: ReadonlyMap<string, string> = new Map([
  [join("openapi", "openapi.json"), `${JSON.stringify(document, null, 2)}\n`],
  [join("src", "client", "gen", "operations.ts"), printOperations(routes, document)],
  [join("src", "client", "gen", "types.ts"), printTypes(document)],
  [".env.example", envExample()],
  ["THIRD-PARTY.md", thirdPartyNotice(".")],
  ...markdown.map((path) => [path, withMadeParts(path, readFileSync(path, "utf8"))] as const),
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
