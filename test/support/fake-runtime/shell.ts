/**
 * A tiny shell with just enough of `echo`, `cat`, `sleep`, `exit` and similar for ExecSync and the first processes of
 * containers. For ExecSync, an unknown command is not found; as a first process it runs forever (a server).
 */
import { setTimeout as delay } from "node:timers/promises";

export interface ShellResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** 137 if aborted. */
  readonly exitCode: number;
  /** Settles when the last background child ends. Until then it holds the output open. */
  readonly background: Promise<unknown>;
}

export interface ShellOptions {
  /** Kills everything that runs. */
  readonly signal: AbortSignal;
  readonly environment?: ReadonlyMap<string, string>;
  /** Files that `cat` and `head` can read, by path, besides /dev/null and /dev/zero. */
  readonly files?: ReadonlyMap<string, string>;
}

interface Shell extends ShellOptions {
  readonly stdout: Buffer[];
  readonly stderr: Buffer[];
  readonly background: Promise<unknown>[];
  /** Set by `exit`, or by a process that killed itself. */
  exited: number | undefined;
}

type Command = (shell: Shell, args: string[], out: Buffer[]) => number | Promise<number>;

const commands: { readonly [name: string]: Command } = {
  true: () => 0,
  ":": () => 0,
  trap: () => 0,
  false: () => 1,
  echo(_shell, args, out) {
    const plain = args[0] === "-n";
    out.push(Buffer.from(args.slice(plain ? 1 : 0).join(" ") + (plain ? "" : "\n")));
    return 0;
  },
  printf(_shell, [format = "", ...args], out) {
    const rest = [...args];
    const text = format.replaceAll(/%[sd]/g, () => rest.shift() ?? "");
    out.push(unescapeBytes(text));
    return 0;
  },
  cat(shell, files, out) {
    return Math.max(0, ...files.map((file) => readFile(shell, "cat", file, out, undefined)));
  },
  head(shell, args, out) {
    const [flag, count, file = ""] = args;
    if (flag !== "-c") return fail(shell, "head: only -c is known");
    return readFile(shell, "head", file, out, Number(count));
  },
  async sleep({ signal }, [seconds = "0"]) {
    const ms = seconds === "infinity" ? 2 ** 31 - 1 : Number.parseFloat(seconds) * 1000;
    return delay(Math.min(ms, 2 ** 31 - 1), 0, { signal }).catch(() => 137);
  },
  env(shell, _args, out) {
    for (const [name, value] of shell.environment ?? []) out.push(Buffer.from(`${name}=${value}\n`));
    return 0;
  },
  printenv(shell, [name = ""], out) {
    const value = shell.environment?.get(name);
    if (value === undefined) return 1;
    out.push(Buffer.from(`${value}\n`));
    return 0;
  },
  exit(shell, [code = "0"]) {
    shell.exited = Number(code) & 255;
    return shell.exited;
  },
  kill(shell, args) {
    // Supports only killing itself: `kill -9 $$`.
    const number = Number(args.find((arg) => arg.startsWith("-"))?.slice(1) ?? 15);
    shell.exited = 128 + number;
    return shell.exited;
  },
};

const shells = new Set(["sh", "ash", "bash"]);

/** The last component of a path. */
function baseName(command: string): string {
  return command.slice(command.lastIndexOf("/") + 1);
}

/** Whether a command represents one that no image has: `nope`, `/bin/missing`, `no-such-command`. */
export function isMissingCommand(command: string): boolean {
  return /^(nope|missing|nonexistent|no-such-.*|does-not-exist)$/.test(baseName(command));
}

/** Whether ExecSync finds the command. */
export function isKnownCommand(command: string): boolean {
  return Object.hasOwn(commands, baseName(command)) || shells.has(baseName(command));
}

/** Whether a first process exits on its own. Others run until they are stopped. */
export function runsByItself(command: readonly string[]): boolean {
  const [name = "", flag, script = ""] = command;
  if (!isKnownCommand(name)) return false;
  return !shells.has(baseName(name)) || (flag === "-c" && !endless(script));
}

function endless(script: string): boolean {
  return /\b(while|for|until|wait|tail|read)\b/.test(script);
}

/** How a first process reacts to SIGTERM, according to its script: `trap '' TERM`, `trap 'exit 7' TERM`. */
export function onTermOf(command: readonly string[]): number | "ignore" {
  const trap = /trap\s+(?:'([^']*)'|"([^"]*)")\s[^;]*\b(?:SIG)?TERM\b/.exec(command.join(" "));
  if (trap === null) return 143;
  const code = /exit\s+(\d+)/.exec(trap[1] ?? trap[2] ?? "")?.[1];
  return code === undefined ? "ignore" : Number(code);
}

/** Runs a command to completion. Never rejects. An unknown command exits with 127. */
export async function runShell(command: readonly string[], options: ShellOptions): Promise<ShellResult> {
  const shell: Shell = { ...options, stdout: [], stderr: [], background: [], exited: undefined };
  const exitCode = await runCommand(shell, [...command], shell.stdout);
  return {
    stdout: Buffer.concat(shell.stdout),
    stderr: Buffer.concat(shell.stderr),
    exitCode: options.signal.aborted ? 137 : exitCode,
    background: Promise.all(shell.background),
  };
}

async function runCommand(shell: Shell, [name = "", ...args]: string[], out: Buffer[]): Promise<number> {
  const command = baseName(name);
  if (shells.has(command)) {
    if (args[0] !== "-c") return forever(shell);
    const script = args[1] ?? "";
    return endless(script) ? forever(shell) : runScript(shell, script);
  }
  const run = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (run === undefined) {
    shell.stderr.push(Buffer.from(`sh: ${name}: not found\n`));
    return 127;
  }
  return run(shell, args, out);
}

function forever({ signal }: Shell): Promise<number> {
  return delay(2 ** 31 - 1, 0, { signal }).catch(() => 137);
}

async function runScript(shell: Shell, script: string): Promise<number> {
  let code = 0;
  let skip = false;
  for (const { words, separator } of parseScript(script)) {
    if (words.length > 0 && !skip) {
      const last = words.at(-1);
      const toStderr = last === ">&2" || last === "1>&2";
      const run = runCommand(
        shell,
        toStderr ? words.slice(0, -1) : words,
        toStderr ? shell.stderr : shell.stdout,
      );
      if (separator === "&") {
        shell.background.push(run);
        code = 0;
      } else {
        code = await run;
      }
      if (shell.exited !== undefined || shell.signal.aborted) return shell.exited ?? 137;
    }
    if (separator === "&&") skip = code !== 0;
    else if (separator === "||") skip = code === 0;
    else skip = false;
  }
  return code;
}

/** Splits a script into simple commands, each with the separator that follows it. */
function parseScript(script: string): { words: string[]; separator: string }[] {
  const simple: { words: string[]; separator: string }[] = [];
  let words: string[] = [];
  const token = /[ \t]*(?:(&&|\|\||;|\n|&(?!\d))|((?:"(?:\\.|[^"\\])*"|'[^']*'|\d?>&\d|\\.|[^\s;&|"'])+))/gy;
  for (let match = token.exec(script); match !== null; match = token.exec(script)) {
    const [, separator, word] = match;
    if (word !== undefined) words.push(unquote(word));
    if (separator !== undefined) {
      simple.push({ words, separator });
      words = [];
    }
  }
  simple.push({ words, separator: ";" });
  return simple;
}

function unquote(word: string): string {
  return word.replaceAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|\\(.)/g, (_all, double, single, escaped) => {
    if (double !== undefined) return String(double).replaceAll(/\\(["\\$`])/g, "$1");
    return String(single ?? escaped);
  });
}

function unescapeBytes(text: string): Buffer {
  const bytes = text.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([ntr\\]))/g,
    (_all, hex, octal, letter) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(String(hex), 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(String(octal), 8) & 255);
      return { n: "\n", t: "\t", r: "\r", "\\": "\\" }[String(letter)] ?? "";
    },
  );
  return Buffer.from(bytes, "latin1");
}

function readFile(
  shell: Shell,
  command: string,
  file: string,
  out: Buffer[],
  count: number | undefined,
): number {
  if (file === "/dev/null" || file === "-") return 0;
  if (file === "/dev/zero" && count !== undefined) {
    out.push(Buffer.alloc(count));
    return 0;
  }
  const text = shell.files?.get(file);
  if (text === undefined) return fail(shell, `${command}: can't open '${file}': No such file or directory`);
  out.push(Buffer.from(text).subarray(0, count));
  return 0;
}

function fail(shell: Shell, text: string): number {
  shell.stderr.push(Buffer.from(`${text}\n`));
  return 1;
}
