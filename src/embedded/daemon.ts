/** The containerd process: starts it, waits until it serves, and stops it. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, existsSync, readFileSync, renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { askOnce } from "../cri/ask-once.ts";
import { GatewayError, StartError } from "../errors.ts";
import { openOwnFile } from "../files/trusted-file.ts";
import { withSystemPath } from "./command.ts";
import type { Paths } from "./paths.ts";

export interface Daemon {
  readonly pid: number;
  /** Resolves with one line when the process ends for any reason. */
  readonly ended: Promise<string>;
  /** Sends SIGTERM, and SIGKILL after 10 s. Resolves when the process is gone. Idempotent. */
  close(): Promise<void>;
}

export interface DaemonOptions {
  /** Appends to the log of the previous daemon, which exited on its own. Default: that log is rotated. */
  readonly keepLog?: boolean;
}

const readyTimeoutMs = 30_000;
const probe = { deadlineMs: 5_000 } as const;
const stopGraceMs = 10_000;

/**
 * Starts containerd with the configuration in `paths`. Resolves when its CRI answers.
 *
 * containerd gets its own process group: a Ctrl-C in the terminal reaches only the gateway, which removes the pods
 * before it stops the runtime.
 *
 * @throws {StartError} with the end of containerd's log, if it exits or does not serve within 30 s.
 */
export async function createDaemon(paths: Paths, { keepLog = false }: DaemonOptions = {}): Promise<Daemon> {
  if (!keepLog && existsSync(paths.log)) renameSync(paths.log, `${paths.log}.1`);
  const log = openOwnFile(paths.log, constants.O_WRONLY | constants.O_APPEND);
  const [program, args] = withSystemPath(["containerd", "--config", paths.config]);
  const child = spawn(program, args, { detached: true, cwd: "/", stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = endOf(child);
  if (child.pid === undefined) throw new StartError(`Cannot start containerd: ${await ended}`);
  const close = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
    await ended;
    clearTimeout(timer);
  };
  try {
    await untilServing(paths.socket, ended);
  } catch (error) {
    await close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      `Cannot start containerd: ${reason}; the end of ${paths.log}:\n${logTail(paths.log)}`,
      {
        cause: error,
      },
    );
  }
  return { pid: child.pid, ended, close };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("exit", (code, signal) =>
      resolve(
        signal === null ? `containerd exited with status ${code}` : `containerd was ended by ${signal}`,
      ),
    );
  });
}

/** Waits until both CRI services answer. containerd rejects calls while it loads its records. */
async function untilServing(socket: string, ended: Promise<string>): Promise<void> {
  const deadline = Date.now() + readyTimeoutMs;
  let end: string | undefined;
  void ended.then((reason) => {
    end = reason;
  });
  for (;;) {
    try {
      await askOnce(socket, "RuntimeService/ListPodSandbox", {}, probe);
      await askOnce(socket, "ImageService/ListImages", {}, probe);
      return;
    } catch (error) {
      if (end !== undefined) throw new Error(end);
      if (error instanceof GatewayError && error.grpcCode === "UNIMPLEMENTED")
        throw new Error("its CRI plugin could not be loaded", { cause: error });
      if (Date.now() > deadline) {
        throw new Error(`it did not respond within ${readyTimeoutMs / 1_000} s`, { cause: error });
      }
      await sleep(50);
    }
  }
}

/** The last warnings and errors in containerd's log, which include the cause; its last lines if there are none. */
function logTail(path: string): string {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  const serious = lines.filter(
    (line) => /level=(warning|error|fatal)/.test(line) || !line.startsWith("time="),
  );
  return (serious.length > 0 ? serious : lines).slice(-10).join("\n");
}
