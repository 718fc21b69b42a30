/**
 * Tracks the responses that a connection still owes. Requests can be pipelined, so there may be several, and anything
 * written outside Fastify must not overtake them.
 *
 * When a connection closes, Node notifies only the current response and ignores the ones queued behind it: their calls
 * would continue, and whatever they hold would leak.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { closeQueued, detachResponse } from "./node/responses.ts";

/** What a connection owes. */
interface Debt {
  /** In request order. */
  readonly answers: Set<ServerResponse>;
  /** Bytes read from the socket when the oldest pending request arrived. */
  since: number;
}

const owed = new WeakMap<Socket, Debt>();

/**
 * Maximum number of pipelined requests. Each holds memory until it is answered, and nothing else limits their number,
 * so one connection could fill the memory of the process.
 */
export const maxOwedAnswers = 100;
/** Maximum bytes of pipelined requests: the largest possible request, plus some margin. */
const maxAheadBytes = 2 * 1024 * 1024;

/**
 * Several parts wait for the end of each response: at most 11, six of them in Fastify and Node. Node's default of 10, which
 * is to find leaks, would print a warning.
 */
const maxListeners = 20;

/** Whether the connection has pipelined so much that it must be closed. */
export function owesTooMuch(socket: Socket): boolean {
  const debt = owed.get(socket);
  if (debt === undefined || debt.answers.size < 2) return false;
  return debt.answers.size > maxOwedAnswers || socket.bytesRead - debt.since > maxAheadBytes;
}

/** Registers `response` for a new request. The response always emits `close`, whatever happens. */
export function noteResponse(socket: Socket, response: ServerResponse): void {
  const debt = owed.get(socket) ?? beginDebt(socket);
  const { answers } = debt;
  if (answers.size === 0) debt.since = socket.bytesRead;
  answers.add(response);
  response.setMaxListeners(maxListeners);
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

/** Whether a response must be sent before another message may be written. */
export function isBusy(socket: Socket): boolean {
  return (owed.get(socket)?.answers.size ?? 0) > 0;
}

/** The last pending response whose request has arrived completely; undefined if there is none. */
export function owedResponse(socket: Socket): ServerResponse | undefined {
  return [...(owed.get(socket)?.answers ?? [])]
    .filter(({ req, writableFinished, destroyed }) => req.complete && !writableFinished && !destroyed)
    .at(-1);
}

/**
 * Call this when the connection has switched to another protocol. Otherwise its last request and response would stay in
 * memory as long as the connection.
 */
export function forgetResponse(socket: Socket): void {
  const answers = owed.get(socket)?.answers ?? new Set();
  for (const answer of answers) detachResponse(answer, socket);
  answers.clear();
}
