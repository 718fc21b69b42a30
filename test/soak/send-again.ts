/** One request, many times, over a few connections that stay open: as cheap as a client can be. */
import { connect } from "node:net";

export interface Repetition {
  /** `GET /livez` */
  readonly start: string;
  readonly headers: readonly string[];
  readonly body?: string | undefined;
  /** What every answer must have. */
  readonly status: number;
  readonly count: number;
}

const connections = 4;
/** Requests that are sent ahead of their answers on a connection. */
const ahead = 25;
/** No body that is counted here has it. */
const statusLine = "HTTP/1.1 ";

/** Sends a request `count` times. @throws {Error} when an answer has another status, or a connection ends. */
export async function sendAgain(
  { port, token }: { readonly port: number; readonly token: string },
  { start, headers, body, status, count }: Repetition,
): Promise<void> {
  const lines = [
    `${start} HTTP/1.1`,
    "Host: 127.0.0.1",
    `Authorization: Bearer ${token}`,
    ...headers,
    ...(body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  const request = `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
  const share = Math.ceil(count / connections);
  const sending = Array.from({ length: connections }, () => sendOn(port, { request, status, count: share }));
  await Promise.all(sending);
}

function sendOn(
  port: number,
  { request, status, count }: { readonly request: string; readonly status: number; readonly count: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let answered = 0;
    let tail = "";
    const socket = connect(port, "127.0.0.1");
    const fail = (why: string): void => {
      reject(new Error(`Cannot go on with "${request.slice(0, 60)}" after ${answered} answers: ${why}`));
      socket.destroy();
    };
    const send = (): void => {
      const more = Math.min(ahead - (sent - answered), count - sent);
      sent += more;
      if (more > 0) socket.write(request.repeat(more));
    };
    socket.once("connect", send);
    socket.setEncoding("latin1").on("data", (text: string) => {
      const came = tail + text;
      let from = 0;
      for (let at = came.indexOf(statusLine); at !== -1; at = came.indexOf(statusLine, from)) {
        from = at + statusLine.length;
        const code = came.slice(from, from + 3);
        if (code.length < 3) {
          from = at;
          break;
        }
        if (Number(code) !== status) return fail(`status ${code} instead of ${status}`);
        answered++;
      }
      tail = came.slice(Math.max(from, came.length - statusLine.length));
      if (answered === count) socket.destroy();
      else send();
    });
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => (answered === count ? resolve() : fail("the connection ended")));
  });
}
