/** What shells offer, in the shells themselves where they are installed. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { commandNames, declarationOf } from "../../../src/cli/commands.ts";
import { answerCompletion } from "../../../src/cli/completion/answer.ts";
import { complete } from "../../../src/cli/completion/complete.ts";
import type { NamesOf } from "../../../src/cli/completion/completion.ts";
import { type Shell, scripts, shells } from "../../../src/cli/completion/scripts.ts";
import { globalFlags } from "../../../src/cli/declare.ts";
import { commandNames as gatewayCommandNames } from "../../../src/config/commands.ts";
import { mainFile } from "../../support/spawn-crest.ts";
import { tempDir } from "../../support/temp-dir.ts";

const names: NamesOf = async (kind, { server }) => [
  { value: `${kind}-one` },
  { value: `${kind}-of-${server}` },
];

async function offered(line: string): Promise<string> {
  const { candidates, files } = await complete(line.split(" "), names);
  return [...candidates.map(({ value }) => value), ...(files ? ["FILES"] : [])].join(" ");
}

test("every command and each of its flags is offered", async () => {
  const all = (await offered("")).split(" ");
  for (const name of [...commandNames, ...gatewayCommandNames]) assert.ok(all.includes(name), name);
  for (const name of commandNames) {
    const flags = (await offered(`${name} --`)).split(" ");
    for (const flag of Object.keys({ ...declarationOf(name).flags, ...globalFlags }))
      assert.ok(flags.includes(`--${flag}`), `${name} --${flag}`);
  }
  assert.match(await offered("serve --allow-r"), /^--allow-read --allow-run --allow-remove$/);
  assert.equal(await offered("serve --log-format="), "--log-format=json --log-format=text");
});

test("values, names and files are offered where they fit", async () => {
  assert.equal(await offered("ps -o js"), "json jsonl");
  assert.equal(await offered("ps -ao js"), "json jsonl");
  assert.equal(await offered("ps --output=js"), "--output=json --output=jsonl");
  assert.equal(await offered("ps --filter state=r"), "state=running");
  assert.equal(await offered("exec -it --server=two c"), "container-one container-of-two");
  assert.equal(await offered("exec -it --server two container-o"), "container-one container-of-two");
  assert.equal(await offered("port-forward "), "pod-one pod-of-undefined");
  assert.equal(await offered("ps --server "), "server-one server-of-undefined");
  assert.equal(await offered("server use "), "server-one server-of-undefined");
  assert.equal(await offered("server add one http://x --ca "), "FILES");
  assert.equal(await offered("completion "), "bash zsh fish");
  // What follows is the container's own.
  assert.equal(await offered("exec web -- l"), "");
  assert.equal(await offered("exec web --"), "");
  assert.equal(await offered("nonsense "), "");
});

test("an answer has nothing that a shell would run, and none is a failure", async () => {
  process.env.CREST_SERVER = "unix:/nonexistent/crest.sock";
  process.env.CREST_TOKEN = "token";
  try {
    assert.equal(await answerCompletion(["bash", "exec", ""]), "");
    assert.equal(await answerCompletion([]).then((text) => text.split("\n").length > 10), true);
    assert.equal(await answerCompletion(["zsh", "x".repeat(65_536), ""]), "");
  } finally {
    delete process.env.CREST_SERVER;
    delete process.env.CREST_TOKEN;
  }
});

/** Each prints what the shell would offer for `crest ARGUMENTS`, a line for each way to ask. */
const programs: { readonly [S in Shell]: string } = {
  bash: `
    source <(crest completion bash)
    complete -p crest >/dev/null || exit 1
    compopt() { COMPREPLY+=("compopt $*"); }
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _crest crest; echo "\${COMPREPLY[*]}"; }
    try crest ex; try crest ps --output = js; try crest server add x y --ca ""; try crest ps --filter ""`,
  zsh: `
    autoload -Uz compinit && compinit -D
    source <(crest completion zsh)
    [[ -n $_comps[crest] ]] || exit 1
    _describe() { print -r -- \${\${(P)2}%%:*} \${@:3}; }
    _files() { print -r -- compopt -o default; }
    compset() { :; }
    try() { words=("$@"); CURRENT=$#; _crest; }
    try crest ex; try crest ps --output=js; try crest server add x y --ca ""; try crest ps --filter ""`,
  fish: `
    crest completion fish | source
    function try; echo (complete -C "$argv" | string split -f1 \\t); end
    try crest ex; try crest ps --output=js; try crest server add x y --ca /etc/hostn; try crest ps --filter ""`,
};

for (const shell of shells) {
  const skip = existsSync(`/usr/bin/${shell}`) || existsSync(`/bin/${shell}`) ? false : `no ${shell} here`;
  test(`${shell} completes commands, flags, values and files`, { skip }, async (t: TestContext) => {
    const folder = await tempDir(t);
    const crest = join(folder, "crest");
    writeFileSync(crest, `#!/bin/sh\nexec '${process.execPath}' '${mainFile()}' "$@"\n`);
    chmodSync(crest, 0o755);
    const env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder };
    const flags = { bash: ["--norc", "-c"], zsh: ["-f", "-c"], fish: ["--no-config", "-c"] }[shell];
    const { stdout, stderr } = spawnSync(shell, [...flags, programs[shell]], { env, encoding: "utf8" });
    assert.equal(stderr, "");
    const [command, value, file, keys] = stdout.trimEnd().split("\n");
    assert.equal(command, "exec");
    const js = shell === "bash" ? "json jsonl" : "--output=json --output=jsonl";
    assert.equal(value, js);
    assert.match(file ?? "", shell === "fish" ? /\/etc\/hostname/ : /compopt -o default/);
    assert.match(keys ?? "", /\bstate=running\b/);
    assert.match(scripts[shell], /crest completion/);
  });
}
