import assert from "node:assert/strict";
import { test } from "node:test";
import { commandNames, declarationOf } from "../../../src/cli/commands.ts";
import { globalFlags } from "../../../src/cli/declare.ts";
import { findCommand } from "../../../src/cli/find-command.ts";
import { commandHelp, overview } from "../../../src/cli/help.ts";
import { parseArguments } from "../../../src/cli/parse.ts";
import { unknownCommand } from "../../../src/cli/unknown-command.ts";
import { commandNames as gatewayCommandNames } from "../../../src/config/commands.ts";

const wrong = (argv: readonly string[], message: RegExp): void => {
  assert.throws(() => parseArguments("ps", argv), { name: "StartError", message });
};

test("flags are read in every form", () => {
  for (const argv of [
    ["-ao", "json"],
    ["--all", "--output=json"],
    ["-a", "--output", "json"],
  ]) {
    const { flags } = parseArguments("ps", argv);
    assert.equal(flags.all, true);
    assert.equal(flags.output, "json");
    assert.equal(flags.quiet, false);
  }
});

test("mistakes name the flag, and what would be right", () => {
  wrong(["--al"], /^--al: not a flag of crest ps, did you mean --all\?$/);
  wrong(["-x"], /^-x: not a flag of crest ps, see crest ps --help$/);
  wrong(["-o"], /^-o: missing value, write -o FORMAT$/);
  wrong(["--output=tabel"], /^--output=tabel: did you mean table\?$/);
  wrong(["--all=perhaps"], /^--all=perhaps: takes no value, write --all$/);
  wrong(["web"], /^web: unexpected argument, write crest ps \[FLAGS\]$/);
  wrong([`--${"x".repeat(65_536)}`], /not a flag of crest ps/);
});

test("--help is answered whatever else is missing", () => {
  for (const name of commandNames) assert.equal(parseArguments(name, ["--help"]).flags.help, true);
});

test("the first word decides which command it is", () => {
  assert.deepEqual(findCommand(["ps", "-a"]), { kind: "client", name: "ps", argv: ["-a"] });
  assert.deepEqual(findCommand(["help", "ps"]), { kind: "client", name: "ps", argv: ["--help"] });
  for (const argv of [[], ["help"], ["--help"], ["-h"]])
    assert.deepEqual(findCommand(argv), { kind: "overview" });
  for (const argv of [["serve"], ["help", "serve"], ["--version"], ["--token-file=x", "serve"]])
    assert.deepEqual(findCommand(argv), { kind: "gateway" });
  for (const argv of [["constructor"], ["help", "constructor"]])
    assert.deepEqual(findCommand(argv), { kind: "unknown", word: "constructor" });
});

test("a word that is no command gets the nearest of all", () => {
  const messages = {
    exce: "exce: unknown command, did you mean exec?",
    sevre: "sevre: unknown command, did you mean serve?",
    "\u001b[31m": "\\u001b[31m: unknown command, crest --help lists them",
    "--server=x": "--server: missing command, write it before the flags: crest ps --server",
  };
  for (const [word, message] of Object.entries(messages)) {
    assert.deepEqual(findCommand([word, "ps"]), { kind: "unknown", word });
    assert.equal(unknownCommand(word), message);
  }
});

test("no flag of a command has the name or the letter of another", () => {
  for (const name of commandNames) {
    const flags = Object.entries({ ...declarationOf(name).flags });
    const shorts = [...flags, ...Object.entries(globalFlags)].flatMap(([, flag]) =>
      "short" in flag && flag.short !== undefined ? [flag.short] : [],
    );
    assert.equal(new Set(shorts).size, shorts.length, name);
    for (const [flag] of flags) assert.ok(!Object.hasOwn(globalFlags, flag), `${name} --${flag}`);
    assert.ok(!(gatewayCommandNames as readonly string[]).includes(name), name);
  }
});

test("the overview names every command and fits a screen", () => {
  const lines = overview().trimEnd().split("\n");
  assert.ok(lines.length <= 24, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length <= 80, line);
  const words = new Set(overview().split(/\s+/));
  for (const name of [...commandNames, ...gatewayCommandNames]) assert.ok(words.has(name), name);
});

test("the help of a command has its usage, each flag, and examples that parse", () => {
  for (const name of commandNames) {
    const help = commandHelp(name);
    for (const line of help.split("\n")) assert.ok(line.length <= 80, line);
    assert.match(help, /^[ -~\n]+$/);
    const { flags, examples } = declarationOf(name);
    for (const flag of Object.keys(flags)) assert.ok(help.includes(`--${flag}`), `${name} --${flag}`);
    assert.ok(examples.length > 0, `${name} has no example`);
    for (const example of examples) {
      const [crest, first, ...argv] = example.split(" ");
      assert.equal(crest, "crest");
      assert.equal(first, name, example);
      parseArguments(name, argv);
    }
  }
});
