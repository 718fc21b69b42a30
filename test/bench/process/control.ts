/**
 * The control channel, on the side of the process that is measured: tells when it listens and answers
 * orders. Ends the process when the bench has gone, whatever took it.
 *
 * The bench's own processes import it; Crest, which knows nothing of it, gets it with `--import`.
 */
import { Server } from "node:net";
import type { CommandName, Commands, Order, Report, Usage } from "./commands.ts";

type Handler = (argument: unknown) => unknown;

const handlers = new Map<CommandName, Handler>([["usage", usage]]);
let listened = false;

/** Makes this process answer a command. */
export function answer<C extends CommandName>(
  command: C,
  handler: (argument: Commands[C]["argument"]) => Commands[C]["result"] | Promise<Commands[C]["result"]>,
): void {
  handlers.set(command, handler as Handler);
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return {
    cpuMs: (user + system) / 1000,
    rssBytes: process.memoryUsage.rss(),
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

function report(message: Report): void {
  process.send?.(message);
}

async function obey({ id, command, argument }: Order): Promise<void> {
  try {
    const handler = handlers.get(command);
    if (handler === undefined) throw new Error(`Cannot obey ${command}: this process does not have it`);
    report({ id, result: await handler(argument) });
  } catch (error) {
    report({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

// The moment itself, for any server and without a probe that would compete for the CPU.
const { listen } = Server.prototype;
Server.prototype.listen = function (this: Server, ...rest: unknown[]): Server {
  this.once("listening", () => {
    const address = this.address();
    // A gateway's lock on its folder serves nobody.
    if (typeof address === "string" && address.endsWith("gateway.lock")) return;
    if (!listened) report({ listening: { port: typeof address === "object" ? (address?.port ?? 0) : 0 } });
    listened = true;
  });
  return Reflect.apply(listen, this, rest);
} as typeof listen;

process.on("message", (order: Order) => void obey(order));
process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
