/** Which modules a command loads: what it does not need would make a terminal wait. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { mainFile } from "../../support/spawn-crest.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** Writes the address of each module to a file. */
const hook = (file: string): string => `
  import { register } from "node:module";
  const hooks = \`
    import { appendFileSync } from "node:fs";
    export async function load(url, context, next) {
      appendFileSync(${JSON.stringify(file)}, url + "\\\\n");
      return next(url, context);
    }\`;
  register("data:text/javascript," + encodeURIComponent(hooks));
`;

/** The modules that `crest` loads: of ours by their paths below src, of others by their names. */
async function loaded(t: TestContext, argv: readonly string[]): Promise<readonly string[]> {
  const folder = await tempDir(t);
  const file = join(folder, "modules");
  writeFileSync(file, "");
  writeFileSync(join(folder, "hook.mjs"), hook(file));
  const args = ["--import", join(folder, "hook.mjs"), mainFile(), ...argv];
  const env = { PATH: process.env.PATH, HOME: folder, CREST_TOKEN: "token" };
  spawnSync(process.execPath, args, { env, timeout: 30_000 });
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((url) => url.replace(/^.*\/dist\/src\//, ""));
}

/** Of the gateway, or of commands that do something else. */
const foreign =
  /^(?!cli\/)(.*\/)?(api|http|routes|cri|gen|wire|runtimes|streaming|access)\/|\/node_modules\/|^node:(crypto|https|tls|child_process)$/;

test("crest --help loads the declarations, and nothing that does something", async (t) => {
  const modules = await loaded(t, ["--help"]);
  assert.ok(modules.includes("cli/help.js"), `${modules}`);
  assert.deepEqual(
    modules.filter((path) => foreign.test(path) || /^client\/|^cli\/server\/|^node:http/.test(path)),
    [],
  );
});

test("crest ps loads the client and one request, and neither sessions, TLS nor other commands", async (t) => {
  const modules = await loaded(t, ["ps", "--server=http://127.0.0.1:1"]);
  assert.ok(modules.includes("cli/commands/ps.js"), `${modules}`);
  const others =
    /^cli\/(completion|interactive|copy|forward|help)|^cli\/commands\/(exec|run|cp|server|logs)\.js$/;
  const unneeded = modules.filter(
    (path) =>
      (foreign.test(path) && !path.startsWith("client/gen/")) ||
      others.test(path) ||
      /web-socket|tls-options|show-curl/.test(path),
  );
  assert.deepEqual(unneeded, []);
});
