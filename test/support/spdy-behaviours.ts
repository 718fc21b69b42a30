/** How streaming servers of runtimes behave in a session: like containerd, and badly. */
import type { Behaviour, ServerSession, ServerStream } from "./spdy-server.ts";

/** Kubernetes' Status as containerd writes it. */
export const success = '{"metadata":{},"status":"Success"}';

export function exited(code: number): string {
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit code ${code}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  });
}

/** The outputs that a client requested. Waits until the client has opened them. */
export async function outputsOf(
  session: ServerSession,
  { stdout, stderr, tty }: Parameters<Behaviour>[1],
): Promise<{ readonly stdout: ServerStream | undefined; readonly stderr: ServerStream | undefined }> {
  return {
    stdout: stdout ? await session.stream("stdout") : undefined,
    stderr: stderr && !tty ? await session.stream("stderr") : undefined,
  };
}

/** Ends a command: FIN on the outputs, the status, RST of its stream, GOAWAY, then closes the connection. */
export async function finish(session: ServerSession, status = success): Promise<void> {
  const error = await session.stream("error");
  for (const { headers, end } of session.streams) if (/^std(out|err)$/.test(headers.streamtype ?? "")) end();
  await error.write(status);
  error.reset();
  session.goAway();
  session.close();
}

export interface Script {
  readonly stdout?: string | Uint8Array;
  readonly stderr?: string | Uint8Array;
  /** The text of the error stream. Default: success. `undefined`: it never arrives. */
  readonly status?: string | undefined;
}

/** Writes the given output and ends. Without a status, it sends FIN on the outputs and then nothing. */
export function command(script: Script = {}): Behaviour {
  return async (session, request) => {
    const { stdout, stderr } = await outputsOf(session, request);
    await session.stream("error");
    if (script.stdout !== undefined) await stdout?.write(script.stdout);
    if (script.stderr !== undefined) await stderr?.write(script.stderr);
    if (!("status" in script) || script.status !== undefined) return finish(session, script.status);
    stdout?.end();
    stderr?.end();
  };
}

/** `cat`: echoes stdin to stdout until its end. */
export const cat: Behaviour = async (session) => {
  const [stdin, stdout] = [await session.stream("stdin"), await session.stream("stdout")];
  for await (const chunk of stdin.input) await stdout.write(chunk);
  await finish(session);
};

/** Writes endlessly, as fast as the client reads. */
export function flood(type: "stdout" | "stderr" = "stdout"): Behaviour {
  return async (session) => {
    const stream = await session.stream(type);
    await session.stream("error");
    const chunk = Buffer.alloc(32_768, "x");
    while (!session.isClosed) await stream.write(chunk);
  };
}

/** Reads nothing, like a process that does not read its stdin. */
export const unread: Behaviour = async (session) => {
  await session.stream("error");
  session.stopReading();
};

/** What listens on one port of the pod. */
export type PortScript = (
  data: ServerStream,
  error: ServerStream,
  session: ServerSession,
) => void | Promise<void>;

/** Port-forward: runs the script for the session's port, and refuses ports without one. */
export function ports(scripts: { readonly [port: number]: PortScript }): Behaviour {
  return async (session) => {
    const [error, data] = [await session.stream("error"), await session.stream("data")];
    const port = Number(data.headers.port);
    await (scripts[port] ?? refusing(`failed to connect to localhost:${port}: connection refused`))(
      data,
      error,
      session,
    );
  };
}

/** An echo server: it ends its half when the client ends its own. */
export const echo: PortScript = async (data, error) => {
  error.end();
  for await (const chunk of data.input) await data.write(chunk);
  data.end();
};

export function refusing(text: string): PortScript {
  return async (data, error) => {
    await error.write(text);
    error.end();
    data.end();
  };
}

/** Sends a response and ends its half at once. */
export function answering(text: string | Uint8Array): PortScript {
  return async (data, error) => {
    error.end();
    await data.write(text);
    data.end();
  };
}

/** A peer that never reads. */
export const stalled: PortScript = (_data, error, session) => {
  error.end();
  session.stopReading();
};
