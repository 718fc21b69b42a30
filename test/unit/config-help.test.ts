import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { settings } from "../../src/config/settings.ts";
import { envExample, parseCommandLine } from "../../src/config.ts";

function help(line: string, columns = 80): string {
  const command = parseCommandLine(line.split(" "), {}, { columns });
  assert.ok(command.name === "help");
  return command.text;
}

test("help of a command shows each of its flags with its variable, and no flag of the other", () => {
  for (const command of ["up", "serve"] as const) {
    const shown = help(`${command} --help`).split("\n");
    for (const { flag, variable, command: only } of settings) {
      const line = shown.find((one) =>
        one
          .trim()
          .split(/[\s,=[]+/)
          .includes(flag),
      );
      assert.equal(line !== undefined, only === undefined || only === command, `${flag} in ${command}`);
      assert.ok(line === undefined || line.endsWith(` ${variable}`), flag);
    }
  }
});

test("help shows what the default is, given or in words", () => {
  const text = help("serve --help", 100);
  for (const { flag, default: fallback, defaultText } of settings) {
    if (fallback === false) continue;
    assert.ok(text.replace(/\s+/g, " ").includes(` Default: ${defaultText ?? fallback}.`), flag);
  }
});

test("help is 80 columns wide, up to 100 where the terminal has them, without escape codes", () => {
  const longest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));
  for (const line of ["up --help", "serve --help", "openapi --help", "openapi -h"]) {
    for (const columns of [20, 80]) assert.ok(longest(help(line, columns)) <= 80, line);
    assert.ok(longest(help(line, 1000)) <= 100, line);
    assert.match(help(line), /^[ -~\n]+$/, line);
  }
});

test("help comes from --help, -h, the command help and no arguments, whatever else is wrong", () => {
  const serve = help("serve --help");
  assert.equal(help("serve -h"), serve);
  assert.equal(help("help serve"), serve);
  assert.equal(help("--help serve --bogus --listen=nonsense"), serve);
  for (const line of ["--help", "help", "help nonsense"])
    assert.deepEqual(parseCommandLine(line.split(" "), {}), { name: "overview" });
  assert.deepEqual(parseCommandLine([], {}), { name: "overview" });
});

test(".env.example is what the schema says today", () => {
  // Tests run in the folder of package.json, from sources as well as from dist.
  const committed = readFileSync(".env.example", "utf8");
  assert.equal(committed, envExample(), "write what envExample() returns to .env.example");
});

test(".env.example has every variable, and its lines read back to the defaults", () => {
  const lines = envExample()
    .split("\n")
    .filter((line) => /^#CREST_/.test(line));
  const variables = settings.filter(({ key }) => key !== "config").map(({ variable }) => variable);
  assert.deepEqual(
    lines.map((line) => line.slice(1, line.indexOf("="))),
    variables,
  );

  // Where there is no default the example only has to be read.
  const examples = new Set(
    settings.filter((one) => !one.default && one.default !== false).map((one) => one.variable),
  );
  const read = (texts: readonly string[]) => {
    const readFile = () => texts.map((line) => line.slice(1)).join("\n");
    const command = parseCommandLine(["serve", "--config=/c"], {}, { uid: 0, cwd: "/", readFile });
    assert.ok("config" in command);
    return command.config;
  };
  assert.deepEqual(read(lines.filter((line) => !examples.has(line.slice(1, line.indexOf("="))))), read([]));
  const keys = settings
    .map(({ key }) => key.replace(/\..*$/, ""))
    .filter((key) => key !== "config" && key !== "logFormat");
  const all = new Set([...keys, "runtime", "tokenFileHint"]);
  assert.deepEqual(Object.keys(read(lines)).sort(), [...all].sort());
  assert.equal(read(lines).dataDir, "/var/lib/crest");
});
