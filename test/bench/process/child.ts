/** The control channel, on the side of the bench: processes that are started, asked and stopped. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CommandName, Commands, Order, Report } from "./commands.ts";

export interface Child {
  readonly pid: number | undefined;
  /** Settles when it listens first: on which port (0: a Unix socket), how long after its start. */
  readonly listening: Promise<{ readonly port: number; readonly afterMs: number }>;
  /** Gives an order. @throws {Error} when it fails, or the process ends first. */
  ask<C extends CommandName>(
    command: C,
    ...argument: Commands[C]["argument"] extends undefined ? [] : [Commands[C]["argument"]]
  ): Promise<Commands[C]["result"]>;
  /** SIGTERM, after 5 s SIGKILL; settles when it has ended. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Brings the control channel into a program that does not import it, and reads its log. */
  readonly foreign?: boolean;
}

const stopMs = 5000;
/** The compiled ones beside a compiled bench, else the sources. */
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** Starts a program of the repository, by its path from `test/bench` without an extension: `servers/floor`. */
export function startChild(program: string, { args = [], foreign = false }: ChildOptions = {}): Child {
  const control = new URL(`./control${extension}`, import.meta.url).href;
  const file = fileURLToPath(new URL(`../${program}${extension}`, import.meta.url));
  const startedAt = performance.now();
  const child = fork(file, args, {
    execArgv: foreign ? ["--import", control] : [],
    env: withoutSettings(process.env),
    stdio: ["ignore", "ignore", foreign ? "pipe" : "inherit", "ipc"],
  });
  // A gateway's log is read as a service manager reads it.
  child.stderr?.resume();
  const ended = endOf(child);
  const listening = new Promise<{ port: number; afterMs: number }>((resolve, reject) => {
    child.on("message", (report: Report) => {
      if ("listening" in report)
        resolve({ port: report.listening.port, afterMs: performance.now() - startedAt });
    });
    void ended.then((how) => reject(new Error(`Cannot use ${program}: it ended with ${how}`)));
  });
  listening.catch(() => undefined);
  return { pid: child.pid, listening, ask: asker(child, program, ended), stop: () => stop(child, ended) };
}

function asker(child: ChildProcess, program: string, ended: Promise<string>): Child["ask"] {
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let orders = 0;
  child.on("message", (report: Report) => {
    if ("listening" in report) return;
    const asked = waiting.get(report.id);
    waiting.delete(report.id);
    if ("failure" in report) asked?.reject(new Error(`${program}: ${report.failure}`));
    else asked?.resolve(report.result);
  });
  void ended.then((how) => {
    for (const { reject } of waiting.values()) reject(new Error(`${program} ended with ${how}`));
  });
  return (command, ...[argument]) =>
    new Promise((resolve, reject) => {
      const id = orders++;
      waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      child.send({ id, command, argument } satisfies Order, (error) => error && reject(error));
    });
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
  await ended;
  clearTimeout(timer);
}

/** Settles with the exit code or the signal. */
function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? String(code)));
  });
}

/** What the person at the keyboard has set for their own Crest has no say here. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("CREST_")));
}
