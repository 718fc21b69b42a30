/** Tells systemd how the gateway fares (sd_notify(3)). */
import { spawn } from "node:child_process";

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
      const child = spawn("systemd-notify", variables, { env, stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      const failed = (why: string): void => reject(new Error(`Cannot tell the service manager: ${why}`));
      child.once("error", (error) => failed(error.message));
      child.once("close", (code) => (code === 0 ? resolve() : failed(said.trim() || `status ${code}`)));
    });
}
