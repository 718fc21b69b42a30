/** `crest console` */
import { spawn } from "node:child_process";
import { environment } from "../../config/environment.ts";
import { StartError } from "../../errors.ts";
import type { Run } from "../context.ts";
import { write } from "../terminal.ts";

/** Where the pages of a gateway begin. */
const pagePath = "/docs";

export const run: Run<"console"> = async ({ flags, stdout, stderr, signal, connect }) => {
  const { crest, address } = await connect();
  if (address.startsWith("unix:"))
    throw new StartError(
      `A browser cannot open ${address}: start the gateway with --listen=127.0.0.1:8585, or let a proxy serve the socket`,
    );
  const { key } = await crest.createSignInKey({}, { signal });
  const url = `${address}${pagePath}#key=${key}`;
  await write(stdout, `${url}\n`);
  const hasDesktop = Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
  if (!flags["no-open"] && stdout.isTTY === true && hasDesktop && !(await opened(url)))
    stderr.write("No browser opened: xdg-open failed. Open the address yourself\n");
  return 0;
};

/** Whether the desktop took the URL. Its program may outlive this one. */
function opened(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn("xdg-open", [url], { stdio: "ignore", detached: true });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
    child.once("spawn", () => {
      child.unref();
      setTimeout(() => resolve(true), 2000).unref();
    });
  });
}
