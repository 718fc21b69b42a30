/** `crest port-forward` */
import { once } from "node:events";
import type { Socket } from "node:net";
import { CrestError } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import type { Run } from "../context.ts";
import { forwardConnection } from "../forward/forward-connection.ts";
import { type Listener, listen } from "../forward/listen.ts";
import { parseAddresses, parsePort } from "../forward/port-spec.ts";
import { write } from "../terminal.ts";

export const run: Run<"port-forward"> = async ({ flags, operands, signal, stdout, stderr, connect }) => {
  const [podSandboxId = "", ...texts] = operands;
  const specs = texts.map(parsePort);
  const addresses = parseAddresses(flags.address);
  const { crest } = await connect({ sessions: true });
  if (flags["show-curl"])
    await crest.portForward({ podSandboxId, ports: specs.map(({ podPort }) => podPort) });
  // A name that is wrong should not wait for the first connection to show.
  await crest.getPod({ podSandboxId }, { signal }).catch((error: unknown) => {
    if (!(error instanceof CrestError) || error.code !== "not_capable") throw error;
  });
  const listeners: Listener[] = [];
  const sockets = new Set<Socket>();
  try {
    for (const spec of specs) {
      const { podPort } = spec;
      const opened = await listen(addresses, spec, (socket) => {
        sockets.add(socket);
        const from = `${socket.remoteAddress ?? "a program that has left"}:${socket.remotePort ?? ""}`;
        forwardConnection(socket, { crest, podSandboxId, podPort, signal })
          .catch((error: unknown) => {
            const reason = error instanceof Error ? error.message : String(error);
            stderr.write(`Connection from ${from} to port ${podPort} failed: ${printable(reason)}\n`);
          })
          .finally(() => sockets.delete(socket));
      });
      listeners.push(...opened);
      for (const { address } of opened) await write(stdout, `Forwarding ${address} -> ${podPort}\n`);
    }
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    for (const { server } of listeners) server.close();
    for (const socket of sockets) socket.destroy();
  }
  return 0;
};
