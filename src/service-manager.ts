/** Reports the state of the gateway to systemd (sd_notify(3)). */
import { spawn } from "node:child_process";

/** systemd-notify itself waits up to 5 s for systemd. */
const notifyTimeoutMs = 10_000;

/**
 * Sends variables such as `READY=1`. Settles when systemd has received them.
 *
 * @throws {Error} when they could not be sent.
 */
export type Notify = (...variables: readonly string[]) => Promise<void>;

/**
 * Sends to `socket`, the value of NOTIFY_SOCKET.
 *
 * Node cannot send datagrams to Unix sockets, so this runs systemd-notify, which is part of every systemd. It waits
 * until systemd has identified it, which is why the unit needs `NotifyAccess=all`.
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
 * Reports that the process is alive, at half the watchdog interval.
 *
 * A timer sends the reports, so they stop when the event loop hangs. Nothing else distinguishes a hanging gateway from
 * one that serves. Each report starts a process that takes a few milliseconds.
 */
export function startWatchdog(notify: Notify, watchdogMs: number): { close(): void } {
  const timer = setInterval(() => void notify("WATCHDOG=1"), watchdogMs / 2).unref();
  return { close: () => clearInterval(timer) };
}
