/** Shell scripts from the documents: their commands, and running them as one bash script. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ended, runToEnd } from "./program.ts";

export interface Command {
  readonly text: string;
  /** First and last line in the script, from 1. */
  readonly first: number;
  readonly last: number;
}

/** The commands of a script, by bash's own reading: lines are put together until they are a whole one. */
export function commandsOf(script: string): readonly Command[] {
  const commands: Command[] = [];
  let pending: string[] = [];
  for (const [index, line] of script.split("\n").entries()) {
    if (pending.length === 0 && line.trim() === "") continue;
    pending.push(line);
    const text = pending.join("\n");
    if (text.endsWith("\\") || spawnSync("bash", ["-n", "-c", text]).status !== 0) continue;
    commands.push({ text, first: index + 2 - pending.length, last: index + 1 });
    pending = [];
  }
  if (pending.length > 0) throw new Error(`Cannot read the script: this does not end\n${pending.join("\n")}`);
  return commands;
}

export interface ScriptRun extends Ended {
  /** Lines of the script that bash says it ran. */
  readonly lines: ReadonlySet<number>;
  /** What each curl and crest printed, in their order. */
  readonly outputs: readonly string[];
}

/**
 * Runs a script as it stands, as one bash script that ends at the first failure: of curl's too, when it
 * cannot connect. `folder` takes the records.
 */
export async function runScript(
  script: string,
  folder: string,
  env: { readonly [name: string]: string | undefined },
): Promise<ScriptRun> {
  const file = join(folder, "script.sh");
  const trace = join(folder, "trace");
  const records = join(folder, "records");
  mkdirSync(records);
  writeFileSync(file, script);
  const runner = `set -eu -o pipefail
    record() {
      local record="$RECORDS/$(ls "$RECORDS" | wc -l)"
      command "$@" >"$record" || { local status=$?; cat "$record" >&2; return $status; }
      cat "$record"
    }
    curl() { record curl --max-time 60 "$@"; }
    crest() { record crest "$@"; }
    exec 9>"$TRACE"
    BASH_XTRACEFD=9
    PS4='+\${BASH_SOURCE-}:\${LINENO}: '
    set -x
    . "$SCRIPT"`;
  const ended = await runToEnd(["bash", "-c", runner], {
    env: { ...env, RECORDS: records, TRACE: trace, SCRIPT: file },
    cwd: folder,
  });
  // Two: the script itself, which was sourced. What runs inside of a command stands deeper.
  const traced = readFileSync(trace, "utf8").matchAll(/^\+\+([^+:]+):(\d+): /gm);
  const names = readdirSync(records).sort((a, b) => Number(a) - Number(b));
  return {
    ...ended,
    lines: new Set(Array.from(traced).flatMap(([, source, line]) => (source === file ? Number(line) : []))),
    outputs: names.map((name) => readFileSync(join(records, name), "utf8")),
  };
}
