/** What a client sends to a command: its input, the size of its terminal, and the end of its input. */
import { type ChannelCodec, channel, type Message } from "./channels.ts";
import type { CommandSession, StreamChoice } from "./command-session.ts";
import type { Liveness } from "./liveness.ts";
import { checkedResize } from "./resize.ts";
import { closeCode, type Socket } from "./socket.ts";
import { writeWithBackpressure } from "./write-with-backpressure.ts";

/** The client that sent a message. */
export interface InputClient {
  readonly socket: Pick<Socket, "isPaused" | "pause" | "resume">;
  readonly live: Pick<Liveness, "close">;
  readonly codec: Pick<ChannelCodec, "halfClose">;
}

/**
 * The byte (^D) that a terminal sends for end of input. Closing the stdin stream would also close the terminal's
 * output. After a partial line, the first ^D only submits that line, so two are needed.
 */
const endOfTransmission = 4;
const newline = 10;

/** Returns a function that takes the messages of a session's client, or of its clients one after the other. */
export function createCommandInput(
  session: CommandSession,
  { tty }: StreamChoice,
): (message: Message, client: InputClient) => void {
  let lastInput = newline;

  function endStdin(socket: InputClient["socket"]): void {
    if (!session.stdin) return;
    if (!tty) {
      session.stdin.end();
      return;
    }
    const ends = lastInput === newline ? [endOfTransmission] : [endOfTransmission, endOfTransmission];
    writeWithBackpressure(Buffer.from(ends), session.stdin, socket);
    lastInput = newline;
  }

  return ({ channel: number, payload }, { socket, live, codec }) => {
    switch (number) {
      case channel.stdin:
        if (payload.length === 0 || !session.stdin) return;
        lastInput = payload.at(-1) ?? lastInput;
        writeWithBackpressure(payload, session.stdin, socket);
        return;
      case channel.resize: {
        const size = checkedResize(payload);
        if (size && session.resize) writeWithBackpressure(size, session.resize, socket);
        return;
      }
      case channel.close:
        if (!codec.halfClose) return;
        if (payload.length !== 1) live.close(closeCode.badMessage, "a close message has two bytes");
        else if (payload[0] === channel.stdin) endStdin(socket);
        return;
      default: // Kubernetes servers ignore unknown channels.
        return;
    }
  };
}
