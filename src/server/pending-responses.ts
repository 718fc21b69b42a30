/**
 * Which answers a connection still owes. Requests may be pipelined, so that there can be several; what is
 * written past Fastify must not overtake them.
 *
 * Node tells the end of a connection to the answer whose turn it is, and leaves those that wait behind it as
 * they are: their calls would go on, and what holds them would hold them for ever.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { closeQueued, detachResponse } from "./node/responses.ts";

/** What a connection owes. */
interface Debt {
  /** In the order of their requests. */
  readonly answers: Set<ServerResponse>;
  /** Bytes that had been read when the oldest of them was asked for. */
  since: number;
}

const owed = new WeakMap<Socket, Debt>();

/**
 * Requests that a client may send ahead of their answers. Each holds memory until it is answered, and nothing else
 * limits their number: one connection could fill the process.
 */
export const maxOwedAnswers = 100;
/** Bytes of the requests that a client may send ahead: as much as one request may have at most, and some more. */
const maxAheadBytes = 2 * 1024 * 1024;

/** Whether the connection owes so much that it must end. */
export function owesTooMuch(socket: Socket): boolean {
  const debt = owed.get(socket);
  if (debt === undefined || debt.answers.size < 2) return false;
  return debt.answers.size > maxOwedAnswers || socket.bytesRead - debt.since > maxAheadBytes;
}

/** Notes that a request has come: `response` will be its answer. It emits `close`, whatever happens. */
export function noteResponse(socket: Socket, response: ServerResponse): void {
  const debt = owed.get(socket) ?? beginDebt(socket);
  const { answers } = debt;
  if (answers.size === 0) debt.since = socket.bytesRead;
  answers.add(response);
  response.once("close", () => answers.delete(response));
}

function beginDebt(socket: Socket): Debt {
  const answers = new Set<ServerResponse>();
  const debt = { answers, since: 0 };
  owed.set(socket, debt);
  socket.once("close", () => {
    for (const answer of answers) closeQueued(answer);
  });
  return debt;
}

/** Whether an answer has yet to leave before another message may be written. */
export function isBusy(socket: Socket): boolean {
  return (owed.get(socket)?.answers.size ?? 0) > 0;
}

/** The last answer that is owed to a request which has come in whole; undefined when there is none. */
export function owedResponse(socket: Socket): ServerResponse | undefined {
  return [...(owed.get(socket)?.answers ?? [])]
    .filter(({ req, writableFinished, destroyed }) => req.complete && !writableFinished && !destroyed)
    .at(-1);
}

/** The connection speaks no HTTP any more. Kept, its last request and answer would live as long as it does. */
export function forgetResponse(socket: Socket): void {
  const answers = owed.get(socket)?.answers ?? new Set();
  for (const answer of answers) detachResponse(answer, socket);
  answers.clear();
}
