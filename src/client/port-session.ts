/** Connections to ports of a pod. */
import { ByteQueue } from "./byte-queue.ts";
import { type ChannelSocket, type OpenOptions, openChannels, unwatched } from "./channel-socket.ts";
import { CrestError } from "./crest-error.ts";

/** A connection to one port: what comes from it by iteration, what goes to it by `write`. */
export interface PortConnection extends AsyncIterable<Uint8Array> {
  /** As in the request. */
  readonly port: number;
  /** Sends text as UTF-8, or bytes. Resolves when there is room for more. @throws {CrestError} */
  write(data: string | Uint8Array): Promise<void>;
}

/**
 * One connection to each port. Every connection of a program that listens needs a session of its own. With several ports,
 * a slow reader of one slows down the others, and the end of one shows only when all have ended.
 *
 * The protocol cannot end one direction alone: the end of what you send is `close()`.
 */
export interface PortSession {
  /** In the order of the request. */
  readonly connections: readonly PortConnection[];
  /** The connection to a port. @throws {RangeError} for a port that was not requested. */
  port(port: number): PortConnection;
  /** Ends all connections at once. */
  close(): void;
}

const portBytes = 2;

export interface PortOptions extends Omit<OpenOptions, "subprotocol" | "handlers"> {
  readonly ports: readonly number[];
}

/** Opens the session. A port that refuses fails its own connection, with `session_failed`. @throws {CrestError} */
export async function openPorts({ ports, ...options }: PortOptions): Promise<PortSession> {
  let socket: ChannelSocket | undefined;
  const balance = (): void => socket?.balance(queues);
  const queues = ports.map(() => new ByteQueue(balance));
  // The first message of each channel is only the port.
  const announced = new Set<number>();

  socket = await openChannels({
    ...options,
    subprotocol: "v4.channel.k8s.io",
    handlers: {
      message(number, payload) {
        const queue = queues[Math.floor(number / 2)];
        if (queue === undefined || payload.length === 0) return;
        if (!announced.has(number) && payload.length === portBytes) announced.add(number);
        else if (number % 2 === 0) queue.push(payload);
        else queue.fail(new CrestError("session_failed", new TextDecoder().decode(payload)));
        balance();
      },
      closed(error) {
        const isEnd = error === undefined || (error instanceof CrestError && error.code === "session_closed");
        for (const queue of queues) isEnd ? queue.end() : queue.fail(error);
      },
    },
  });
  balance();
  const { write, close } = socket;
  const connections = ports.map((port, index) => ({
    port,
    write: (data: string | Uint8Array) => unwatched(write(2 * index, data)),
    [Symbol.asyncIterator]: () => (queues[index] ?? new ByteQueue(balance))[Symbol.asyncIterator](),
  }));
  return {
    connections,
    port(port) {
      const found = connections.find((one) => one.port === port);
      if (found === undefined) throw new RangeError(`Port ${port} was not requested`);
      return found;
    },
    close: () => close(),
  };
}
