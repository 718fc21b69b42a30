/** README.md, docs/ and the other documents at the top, compared with the code and the files that they name. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { commandNames } from "../../src/cli/commands.ts";
import { findCommand } from "../../src/cli/find-command.ts";
import { parseArguments } from "../../src/cli/parse.ts";
import { commandNames as gatewayCommandNames } from "../../src/config/commands.ts";
import { parseCommandLine } from "../../src/config.ts";
import { errorTable } from "../../src/errors.ts";
import { grantWordNames, hostWords } from "../../src/grants.ts";
import { versions } from "../sdk/versions.ts";
import { anchorsOf, blocksOf, inlineCommands, linksOf, userDocuments } from "../support/documents.ts";
import { repositoryRoot } from "../support/repository.ts";

const root = repositoryRoot();
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const forUsers = userDocuments();
const usersText = forUsers.map(({ text }) => text).join("\n");
const atTheTop = readdirSync(root).filter((name) => name.endsWith(".md") && name !== "README.md");
const all = [...forUsers, ...atTheTop.map((path) => ({ path, text: read(path) }))];

test("README.md has at most 250 lines", () => {
  assert.ok(read("README.md").trimEnd().split("\n").length <= 250);
});

test("every relative link in the documents leads to a file, and its anchor to a heading", () => {
  const broken: string[] = [];
  let count = 0;
  for (const { path, text } of all) {
    for (const link of linksOf(text)) {
      if (/^[a-z]+:/.test(link)) continue;
      count += 1;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? path : normalize(join(dirname(path), file));
      const exists = !target.startsWith("..") && existsSync(join(root, target));
      const isFound = exists && (anchor === undefined || anchorsOf(read(target)).has(anchor));
      if (!isFound) broken.push(`${path}: ${link}`);
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(count > 20);
});

test("every document of docs/ is linked from README.md", () => {
  const linked = linksOf(read("README.md"));
  const missing = forUsers.filter(({ path }) => path !== "README.md" && !linked.includes(path));
  assert.deepEqual(missing, []);
});

test("every path of the repository that the documents name exists", () => {
  const named = all.flatMap(({ path, text }) =>
    Array.from(
      text.matchAll(/`((?:src|test|docs|deploy|proto|openapi|\.ci)\/[\w./-]*)`/g),
      ([, name = ""]) => ({
        path,
        name,
      }),
    ),
  );
  assert.ok(named.length > 20);
  const missing = named.filter(({ name }) => {
    const full = join(root, name);
    return !existsSync(full) || (name.endsWith("/") && !statSync(full).isDirectory());
  });
  assert.deepEqual(missing, []);
});

/** Info strings of blocks that a test runs, and where. */
const testedBlocks: { readonly [info: string]: string } = {
  "sh tour": "test/e2e/tour.test.ts",
  "sh install": "test/machine/main.ts",
  "sh npx": "test/machine/main.ts",
  "sh systemd": "test/machine/main.ts",
  ini: "test/machine/main.ts",
  "sh tls": "test/machine/main.ts",
  "sh compose": "test/machine/main.ts",
  "sh kubernetes": "test/machine/main.ts",
  "sh deno": "test/machine/main.ts",
  "sh permissions": "test/e2e/package.test.ts",
  "ts embed": "test/e2e/package.test.ts",
  "yaml prometheus": "test/e2e/metrics.test.ts",
  "sh callers": "test/e2e/callers.test.ts",
  "js issuer": "test/e2e/callers.test.ts",
  "sh jwt": "test/e2e/callers.test.ts",
  "js browser": "test/browser/exec.test.ts",
  "js client node": "test/e2e/client.test.ts",
  "js client socket": "test/e2e/client.test.ts",
  "ts client deno": "test/e2e/client.test.ts",
  "html client browser": "test/browser/client.test.ts",
  "json audit": "test/e2e/audit.test.ts",
  "sh cli": "test/e2e/tour.test.ts",
};
const programs = /^(?:sh|ts|python|go|java) (?:typescript|python|go|java)(?: \S+)?$/;

test("every block with a language is one that a test runs", () => {
  const infos = forUsers.flatMap(({ text }) => blocksOf(text)).map(({ info }) => info);
  for (const [info, file] of Object.entries(testedBlocks)) {
    assert.ok(infos.includes(info), `no document has a block "${info}"`);
    assert.ok(read(file).includes(`documentedScript("${info}")`), `${file} does not run "${info}"`);
  }
  const untested = infos.filter((info) => info !== "" && !(info in testedBlocks) && !programs.test(info));
  assert.deepEqual(untested, []);
});

const anyName = [...commandNames, ...gatewayCommandNames].join("|");

/** @throws {StartError} for what the command line does not take. */
function takeCommand(words: readonly string[]): void {
  const found = findCommand(words);
  if (found.kind === "client") parseArguments(found.name, found.argv);
  else parseCommandLine(words, {}, { uid: 0, cwd: "/" });
}

test("every crest command in the documents is one that the command line takes", () => {
  const inBlocks = forUsers
    .flatMap(({ text }) => blocksOf(text))
    .flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n"))
    .map((line) => new RegExp(`(?:^|[ /])crest((?:-cri-\\*\\.tgz)? (?:${anyName})\\b.*)$`).exec(line)?.[1])
    .filter((rest) => rest !== undefined)
    .map((rest) => rest.replace("-cri-*.tgz", "").trim())
    // The usage of a command.
    .filter((rest) => !rest.includes("[FLAGS]"));
  const inText = forUsers.flatMap(({ text }) => inlineCommands(text, "crest"));
  // Named in a sentence, and not as it is typed.
  const names = new Set(["token create", "token revoke", ...commandNames]);
  const commands = [...inBlocks, ...inText.map((command) => command.replace(/^crest /, ""))].filter(
    (command) => !names.has(command),
  );
  assert.ok(commands.length > 10);
  for (const command of commands) {
    const [words = ""] = command.split(/ >|</);
    assert.doesNotThrow(() => takeCommand(words.trim().split(/\s+/)), command);
  }
});

/** The rows of the tables below a heading of SECURITY.md, as cells. */
function securityRows(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = read("SECURITY.md").split(`### ${heading}\n`);
  const [, , ...rows] = (section.split(/^##/m)[0] ?? "").match(/^\|.*$/gm) ?? [];
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const wordsOf = (cell = ""): readonly string[] =>
  Array.from(cell.matchAll(/`([^`]+)`/g), ([, word = ""]) => word);
const shownBy = "The tests that show it";

for (const [heading, words] of [
  ["What each grant gives", [...grantWordNames, "all"]],
  ["What each host word gives", Object.keys(hostWords)],
] as const) {
  test(`SECURITY.md says of each word once what it gives, and which tests show it: ${heading}`, () => {
    const rows = securityRows(heading);
    assert.deepEqual(rows.flatMap(([cell]) => wordsOf(cell)).toSorted(), [...words].toSorted());
    const known = securityRows(shownBy).map(([letter]) => letter);
    for (const [word, can = "", , tests = ""] of rows) {
      assert.ok(can.length > 10, word);
      for (const letter of tests.split(", ")) assert.ok(known.includes(letter), `${word}: ${letter}`);
    }
  });
}

test("every test that SECURITY.md names exists, and stands for something", () => {
  const used = ["What each grant gives", "What each host word gives"].flatMap((heading) =>
    securityRows(heading).flatMap(([, , , tests = ""]) => tests.split(", ")),
  );
  const rows = securityRows(shownBy);
  assert.equal(new Set(rows.map(([letter]) => letter)).size, rows.length);
  for (const [letter = "", file, name = ""] of rows) {
    assert.ok(used.includes(letter), letter);
    // Some begin with what they are repeated for, or end with it.
    const titles = Array.from(
      read(wordsOf(file)[0] ?? "").matchAll(/\btest\(\s*(["`])(.*?)\1/g),
      ([, , title = ""]) => title,
    );
    assert.ok(
      titles.some((title) => title.replace(/^\$\{\w+\}: |, on \$\{\w+\}$/g, "") === name),
      `${file}: ${name}`,
    );
  }
});

test("CHANGELOG.md has the form of Keep a Changelog, with each kind of change once in a version", () => {
  const [, ...parts] = read("CHANGELOG.md").split(/^## /m);
  assert.ok(parts.length > 0);
  for (const part of parts) {
    const [title = ""] = part.split("\n");
    assert.match(title, /^(?:\[?Unreleased\]?|\[?\d+\.\d+\.\d+\]? - \d{4}-\d{2}-\d{2})$/);
    const kinds = Array.from(part.matchAll(/^### (.*)$/gm), ([, kind = ""]) => kind);
    assert.equal(new Set(kinds).size, kinds.length, `${title}: ${kinds.join(", ")}`);
    for (const kind of kinds) assert.match(kind, /^(?:Added|Changed|Deprecated|Removed|Fixed|Security)$/);
  }
});

test("every npm script in the documents is one of package.json", () => {
  const { scripts } = JSON.parse(read("package.json"));
  const named = all.flatMap(({ text }) => [...text.matchAll(/\bnpm run ([\w:]+)/g)].map(([, name]) => name));
  assert.ok(named.length > 5);
  assert.deepEqual(
    named.filter((name) => name === undefined || !(name in scripts)),
    [],
  );
});

test("the documents name problem codes with the status of the error table", () => {
  const named = [...usersText.matchAll(/\b([45]\d\d)\s+`([a-z_]+)`/g)];
  assert.ok(named.length > 10);
  for (const [, status, code] of named)
    assert.equal(errorTable[code as keyof typeof errorTable]?.status, Number(status), code);
});

test("the documents make clients with the generator versions that are tested", () => {
  for (const [name, version] of Object.entries(versions)) {
    if (name === "@redocly/cli") continue;
    const [, documented] = new RegExp(`${name}(?:-cli)?(?:@|==|:)(v?\\d[\\w.]*\\d)`).exec(usersText) ?? [];
    assert.equal(documented, version, name);
  }
});
