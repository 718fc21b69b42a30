/**
 * proto/ -> src/gen/.
 *
 * `node dist/src/codegen/main.js` writes the files; with `--check` it writes nothing and fails when
 * they are not what it would write. Run from the top folder of the repository.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
  return new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(join(FOLDER, name), "utf8")]));
}

const wanted = generate(buildDescriptors());
const found = present();
const stale = [...new Set([...wanted.keys(), ...found.keys()])].filter(
  (name) => wanted.get(name) !== found.get(name),
);

if (process.argv.includes("--check")) {
  for (const name of stale) console.error(`stale: ${join(FOLDER, name)}`);
  if (stale.length > 0) console.error("Run npm run generate");
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const name of stale) {
    const text = wanted.get(name);
    if (text === undefined) rmSync(join(FOLDER, name));
    else writeFileSync(join(FOLDER, name), text);
    console.log(`${text === undefined ? "removed" : "wrote"} ${join(FOLDER, name)}`);
  }
}
