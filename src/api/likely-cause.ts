/**
 * Why a container is in the state that it is in, in one sentence. It only restates what is known: what nobody reported
 * is said to be unknown.
 */
import type { StopRequest } from "../events/stop-requests.ts";
import type { ContainerState } from "../gen/messages.ts";
import type { PostMortem } from "../routes/answers.ts";
import { isMissingCommand } from "../runtimes/translate-error.ts";
import { byteSize } from "./byte-size.ts";

export type Cause = PostMortem["cause"];

/** What is known of a container. */
export interface CauseFacts {
  readonly state: ContainerState;
  /** How it exited; absent if it has not, or nothing is known about it. */
  readonly exit?: PostMortem["exit"] | undefined;
  readonly hasStarted: boolean;
  /** Whether the kernel killed one of its processes because it ran out of memory. */
  readonly oomKilled: boolean;
  readonly memoryLimitBytes?: number | undefined;
  /** The request during which it exited. */
  readonly stop?: StopRequest | undefined;
  /** How long it went on after that request, in milliseconds. */
  readonly outlivedMs?: number | undefined;
}

/** Reasons that containerd and cri-dockerd give for a process that never ran. */
const failedStarts: ReadonlySet<string> = new Set(["StartError", "ContainerCannotRun"]);

/** What else is known of a signal that the kernel sends to a faulty program. */
const faults: { readonly [signal: string]: string } = {
  SIGABRT: "the program aborted, as after a failed assertion",
  SIGBUS: "an invalid memory access",
  SIGFPE: "an arithmetic error",
  SIGILL: "an invalid instruction",
  SIGSEGV: "an invalid memory access",
  SIGSYS: "a system call that is not permitted",
};

export function likelyCause(facts: CauseFacts): Cause {
  const { state, exit, oomKilled, memoryLimitBytes } = facts;
  const limit = memoryLimitBytes === undefined ? "" : ` (limit: ${byteSize(memoryLimitBytes)})`;
  if (state === "CONTAINER_CREATED") return { code: "not_started", text: "It has not been started." };
  if (state === "CONTAINER_RUNNING")
    return {
      code: "running",
      text: oomKilled
        ? `It is running, but the kernel killed one of its processes because it ran out of memory${limit}.`
        : "It is running.",
    };
  if (exit === undefined)
    return { code: "unknown", text: "Unknown: the runtime does not know whether and how it exited." };
  if (exit.exitCode === 255 && exit.reason === "Unknown")
    return { code: "unknown", text: "Unknown: the runtime lost track of it and has no exit code." };
  if (oomKilled)
    return {
      code: "oom_killed",
      text:
        exit.signal === "SIGKILL"
          ? `The kernel killed it because it ran out of memory${limit}.`
          : `The kernel killed one of its processes because it ran out of memory${limit}; its main process exited with code ${exit.exitCode}.`,
    };
  return failedStart(facts, exit) ?? stopped(facts, exit) ?? ended(exit);
}

type Exit = NonNullable<PostMortem["exit"]>;

function failedStart({ hasStarted }: CauseFacts, { reason = "", message = "" }: Exit): Cause | undefined {
  if (hasStarted && !failedStarts.has(reason)) return undefined;
  if (isMissingCommand(message, {}))
    return {
      code: "command_not_found",
      text: "Its command cannot be run: the image has no such program, or it is not executable.",
    };
  const why = message === "" ? "and the runtime gives no reason" : "see exit.message";
  return { code: "start_failed", text: `It could not be started, ${why}.` };
}

function stopped({ stop, outlivedMs = 0 }: CauseFacts, { exitCode, signal }: Exit): Cause | undefined {
  if (stop === undefined) return undefined;
  const { subject, removes, graceSeconds } = stop;
  const request = `a request to ${removes ? "remove" : "stop"} ${subject === "pod" ? "its pod" : "it"}`;
  if (signal !== "SIGKILL") {
    return { code: "stopped", text: `It exited with code ${exitCode}${named(signal)} after ${request}.` };
  }
  if (graceSeconds === 0) return { code: "stopped", text: `It was killed immediately by ${request}.` };
  if (outlivedMs >= graceSeconds * 1000)
    return {
      code: "stop_timeout",
      text: `It was killed because it was still running ${graceSeconds} s after ${request}.`,
    };
  return { code: "stopped", text: `It was killed after ${request}.` };
}

function ended({ exitCode, signal }: Exit): Cause {
  if (exitCode === 0) return { code: "completed", text: "It completed successfully (exit code 0)." };
  if (signal !== undefined) {
    const fault = faults[signal];
    const rest =
      fault === undefined
        ? "; the sender of the signal is unknown: this gateway was not asked to stop it, and the runtime does not report that it ran out of memory"
        : `: ${fault}`;
    return {
      code: "signal",
      text: `It exited with code ${exitCode}${named(signal)}${rest}.`,
    };
  }
  const meaning = shellCodes[exitCode] ?? "; only its log can say why";
  return { code: "exit_code", text: `It exited with code ${exitCode}${meaning}.` };
}

const named = (signal: string | undefined): string => (signal === undefined ? "" : ` (${signal})`);

/** What shells mean by their own exit codes. */
const shellCodes: { readonly [code: number]: string } = {
  126: ", which shells use for a command that is not executable",
  127: ", which shells use for a command that was not found",
};
