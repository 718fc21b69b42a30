/** Tells systemd how the gateway fares (sd_notify(3)). */
import { spawn } from "node:child_process";

/** systemd-notify itself waits for systemd for 5 s. */
const notifyTimeoutMs = 10_000;

/** Sends variables such as `READY=1`. Settles when they have been heard. @throws {Error} why they were not. */
export type Notify = (...variables: readonly string[]) => Promise<void>;

/**
 * Sends to `socket`, as NOTIFY_SOCKET had it.
 *
 * Node cannot send datagrams to Unix sockets; systemd's own program, which is wherever systemd is, does. It
 * waits until systemd has looked who it is: hence `NotifyAccess=all` in the unit.
 */
export function createNotify(socket: string): Notify {
  const env = { NOTIFY_SOCKET: socket, PATH: "/usr/bin:/bin" };
  return (...variables) =>
    new Promise((resolve, reject) => {
      const child = spawn("systemd-notify", variables, {
        env,
        stdio: ["ignore", "ignore", "pipe"],
        timeout: notifyTimeoutMs,
        killSignal: "SIGKILL",
      });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      const failed = (why: string): void => reject(new Error(`Cannot tell the service manager: ${why}`));
      child.once("error", (error) => failed(error.message));
      child.once("close", (code, signal) =>
        code === 0 ? resolve() : failed(said.trim() || (signal ?? `status ${code}`)),
      );
    });
}

/**
 * Says that the process is alive, at half of the interval after which the service manager would kill it.
 *
 * A timer does that, so that it stops when the event loop does: nothing else could tell a gateway that hangs
 * from one that serves. Each time costs a process of a few milliseconds.
 */
export function startWatchdog(notify: Notify, watchdogMs: number): { close(): void } {
  const timer = setInterval(() => void notify("WATCHDOG=1"), watchdogMs / 2).unref();
  return { close: () => clearInterval(timer) };
}
