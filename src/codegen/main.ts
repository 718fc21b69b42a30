/**
 * Generates src/gen/ from proto/, and checks that need no TypeBox from the TypeBox schemas.
 *
 * `node dist/src/codegen/main.js` writes the files; with `--check` it writes nothing and fails if a file is stale. Run
 * it from the root of the repository.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compileSchemas } from "./compile-schemas.ts";
import { compiledFiles } from "./compiled-files.ts";
import { generate } from "./generate.ts";

const FOLDER = join("src", "gen");

function buildDescriptors(): Uint8Array {
  const buf = join("node_modules", ".bin", "buf");
  const { status, stdout, stderr, error } = spawnSync(
    buf,
    ["build", "proto", "--as-file-descriptor-set", "-o", "-"],
    {
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`Cannot build proto/: ${stderr}`);
  return stdout;
}

function present(): ReadonlyMap<string, string> {
  mkdirSync(FOLDER, { recursive: true });
  const generated = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".ts"),
  );
  const paths = [...generated.map((path) => join(FOLDER, path)), ...Object.keys(compiledFiles)];
  return new Map(paths.filter((path) => existsSync(path)).map((path) => [path, readFileSync(path, "utf8")]));
}

/** Expected text by path. */
const wanted = new Map([
  ...[...generate(buildDescriptors())].map(([name, text]) => [join(FOLDER, name), text] as const),
  ...Object.entries(compiledFiles).map(([path, file]) => [path, compileSchemas(file)] as const),
]);
const found = present();
const stale = [...new Set([...wanted.keys(), ...found.keys()])].filter(
  (path) => wanted.get(path) !== found.get(path),
);

if (process.argv.includes("--check")) {
  for (const path of stale) console.error(`stale: ${path}`);
  if (stale.length > 0) console.error("Run npm run generate");
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const path of stale) {
    const text = wanted.get(path);
    if (text === undefined) rmSync(path);
    else {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
    console.log(`${text === undefined ? "removed" : "wrote"} ${path}`);
  }
}
