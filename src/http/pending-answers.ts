/**
 * Which answers a connection still owes. Requests may be pipelined, so that there can be several; what is
 * written past Fastify must not overtake them.
 *
 * Node tells the end of a connection to the answer whose turn it is, and leaves those that wait behind it as
 * they are: their calls would go on, and what holds them would hold them for ever.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** In the order of their requests. */
const owed = new WeakMap<Socket, Set<ServerResponse>>();

/**
 * Requests that a client may send ahead of their answers. Each holds memory until it is answered, and nothing else
 * limits their number: one connection could fill the process.
 */
export const maxOwedAnswers = 100;

/** Whether the connection owes so many answers that it must end. */
export function owesTooMuch(socket: Socket): boolean {
  return (owed.get(socket)?.size ?? 0) > maxOwedAnswers;
}

/** Notes that a request has come: `response` will be its answer. It emits `close`, whatever happens. */
export function noteAnswer(socket: Socket, response: ServerResponse): void {
  const answers = owed.get(socket) ?? firstOf(socket);
  answers.add(response);
  response.once("close", () => answers.delete(response));
}

function firstOf(socket: Socket): Set<ServerResponse> {
  const answers = new Set<ServerResponse>();
  owed.set(socket, answers);
  socket.once("close", () => {
    for (const answer of answers) {
      if (answer.socket !== null) continue;
      answer.destroy();
      answer.emit("close");
    }
  });
  return answers;
}

/** Whether an answer has yet to leave before another message may be written. */
export function isBusy(socket: Socket): boolean {
  return (owed.get(socket)?.size ?? 0) > 0;
}

/** The last answer that is owed to a request which has come in whole; undefined when there is none. */
export function owedAnswer(socket: Socket): ServerResponse | undefined {
  return [...(owed.get(socket) ?? [])]
    .filter(({ req, writableFinished, destroyed }) => req.complete && !writableFinished && !destroyed)
    .at(-1);
}

/** The connection speaks no HTTP any more. Kept, its last request and answer would live as long as it does. */
export function forgetAnswer(socket: Socket): void {
  const answers = owed.get(socket) ?? new Set();
  for (const answer of answers) if (answer.socket === socket) answer.detachSocket(socket);
  answers.clear();
}
