/** One local connection to a port of the pod. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { type Client, CrestError, type PortSession } from "../../client/index.ts";

export interface ForwardOptions {
  readonly crest: Client;
  readonly podSandboxId: string;
  readonly podPort: number;
  readonly signal: AbortSignal;
}

/**
 * The protocol cannot tell the pod that the local program has sent all. Its connection stays for an answer, until the pod is
 * silent for so long, in milliseconds.
 */
const silenceMs = 30_000;

/**
 * Carries bytes both ways until one side ends. The socket is closed in the end, whatever happens.
 *
 * @param socket Paused.
 * @throws {CrestError} if the gateway or the pod refuses or loses the connection.
 */
export async function forwardConnection(socket: Socket, options: ForwardOptions): Promise<void> {
  const { crest, podSandboxId, podPort } = options;
  const left = new AbortController();
  const signal = AbortSignal.any([options.signal, left.signal]);
  const leave = (): void => left.abort(new CrestError("session_closed", "The local program has left"));
  // Also an error, which "close" follows.
  socket.on("error", () => undefined).once("close", leave);
  socket.setNoDelay(true);
  let session: PortSession | undefined;
  try {
    session = await crest.portForward({ podSandboxId, ports: [podPort] }, { signal });
    const connection = session.port(podPort);
    const silence = createSilence(leave);
    const sending = send(socket, connection, silence.begin);
    for await (const bytes of connection) {
      silence.restart();
      if (!socket.write(bytes)) await once(socket, "drain", { signal });
    }
    silence.end();
    socket.end();
    // What the local program still sends has no reader.
    socket.resume();
    await Promise.race([sending, once(socket, "close")]);
  } catch (error) {
    if (!left.signal.aborted && !options.signal.aborted) throw error;
  } finally {
    session?.close();
    socket.destroySoon();
  }
}

type Connection = ReturnType<PortSession["port"]>;

/** Sends what the local program sends, at the pace of the pod. Resolves when that has ended. */
function send(socket: Socket, connection: Connection, ended: () => void): Promise<void> {
  return new Promise((resolve) => {
    socket.on("data", (chunk) => {
      socket.pause();
      // A failure shows in what comes from the pod.
      connection.write(chunk).then(
        () => socket.resume(),
        () => undefined,
      );
    });
    socket.once("end", () => {
      ended();
      resolve();
    });
    socket.once("close", () => resolve());
    socket.resume();
  });
}

/** Calls `over` when the pod has been silent for long after `begin`. */
function createSilence(over: () => void) {
  let timer: NodeJS.Timeout | undefined;
  return {
    begin(): void {
      timer = setTimeout(over, silenceMs).unref();
    },
    restart: (): void => void timer?.refresh(),
    end: (): void => clearTimeout(timer),
  };
}
