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
  /** How it ended; absent if it has not, or nothing is known of it. */
  readonly exit?: PostMortem["exit"] | undefined;
  readonly hasStarted: boolean;
  /** Whether the kernel killed one of its processes for lack of memory. */
  readonly oomKilled: boolean;
  readonly memoryLimitBytes?: number | undefined;
  /** The request during which it ended. */
  readonly stop?: StopRequest | undefined;
  /** How long it went on after that request, in milliseconds. */
  readonly outlivedMs?: number | undefined;
}

/** Reasons that containerd, and Docker, give for a process that never ran. */
const failedStarts: ReadonlySet<string> = new Set(["StartError", "ContainerCannotRun"]);

/** What else is known of a signal that the kernel sends to a faulty program. */
const faults: { readonly [signal: string]: string } = {
  SIGABRT: "the program gave up, as after a failed assertion",
  SIGBUS: "an invalid access to memory",
  SIGFPE: "an arithmetic error",
  SIGILL: "an invalid instruction",
  SIGSEGV: "an invalid access to memory",
  SIGSYS: "a system call that is not permitted",
};

export function likelyCause(facts: CauseFacts): Cause {
  const { state, exit, oomKilled, memoryLimitBytes } = facts;
  const limit = memoryLimitBytes === undefined ? "" : ` (its limit is ${byteSize(memoryLimitBytes)})`;
  if (state === "CONTAINER_CREATED") return { code: "not_started", text: "It has not been started." };
  if (state === "CONTAINER_RUNNING")
    return {
      code: "running",
      text: oomKilled
        ? `It is running, but the kernel killed one of its processes for lack of memory${limit}.`
        : "It is running.",
    };
  if (exit === undefined)
    return { code: "unknown", text: "Unknown: the runtime does not know how it ended, or whether." };
  if (exit.exitCode === 255 && exit.reason === "Unknown")
    return { code: "unknown", text: "Unknown: the runtime lost track of it and has no exit code." };
  if (oomKilled)
    return {
      code: "oom_killed",
      text:
        exit.signal === "SIGKILL"
          ? `The kernel killed it for lack of memory${limit}.`
          : `The kernel killed one of its processes for lack of memory${limit}; its main process ended with exit code ${exit.exitCode}.`,
    };
  return failedStart(facts, exit) ?? stopped(facts, exit) ?? ended(exit);
}

type Exit = NonNullable<PostMortem["exit"]>;

function failedStart({ hasStarted }: CauseFacts, { reason = "", message = "" }: Exit): Cause | undefined {
  if (hasStarted && !failedStarts.has(reason)) return undefined;
  if (isMissingCommand(message, {}))
    return {
      code: "command_not_found",
      text: "Its command cannot be run: the image has no such program, or it cannot be executed.",
    };
  const why = message === "" ? "and gives no reason" : "for the reason in exit.message";
  return { code: "start_failed", text: `The runtime could not start it, ${why}.` };
}

function stopped({ stop, outlivedMs = 0 }: CauseFacts, { exitCode, signal }: Exit): Cause | undefined {
  if (stop === undefined) return undefined;
  const { subject, removes, graceSeconds } = stop;
  const request = `a request to ${removes ? "remove" : "stop"} ${subject === "pod" ? "its pod" : "it"}`;
  if (signal !== "SIGKILL") {
    const how = signal === undefined ? `exit code ${exitCode}` : `${signal} (exit code ${exitCode})`;
    return { code: "stopped", text: `It ended with ${how} after ${request}.` };
  }
  if (graceSeconds === 0) return { code: "stopped", text: `It was killed at once by ${request}.` };
  if (outlivedMs >= graceSeconds * 1000)
    return {
      code: "stop_timeout",
      text: `It was killed because it still ran ${graceSeconds} s after ${request}.`,
    };
  return { code: "stopped", text: `It was killed with SIGKILL after ${request}.` };
}

function ended({ exitCode, signal }: Exit): Cause {
  if (exitCode === 0)
    return { code: "completed", text: "Its main process ended with exit code 0, which means success." };
  if (signal !== undefined) {
    const fault = faults[signal];
    const rest =
      fault === undefined
        ? "; who sent the signal is unknown: this gateway was not asked to stop it, and the runtime reports no lack of memory"
        : `: ${fault}`;
    return {
      code: "signal",
      text: `It ended with exit code ${exitCode}, which stands for ${signal}${rest}.`,
    };
  }
  const hint = shellCodes[exitCode] ?? "why, only its log can say";
  return { code: "exit_code", text: `Its main process ended with exit code ${exitCode}; ${hint}.` };
}

/** What a shell means by its own exit codes. */
const shellCodes: { readonly [code: number]: string } = {
  126: "with it, a shell reports a command that cannot be executed",
  127: "with it, a shell reports a command that was not found",
};
