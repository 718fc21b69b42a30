/** Requests of RTSP, which Node's parser takes. See README.md. */
import { type IncomingMessage, METHODS, type Server } from "node:http";

const methods: ReadonlySet<string> = new Set(METHODS);

/** Whether the request has a method of HTTP. If not, it is an error of the client, as if the parser had refused it. */
export function isHttp(server: Server, { method = "", socket }: IncomingMessage): boolean {
  if (methods.has(method)) return true;
  const error = Object.assign(new Error(`${method} is not a method of HTTP`), { code: "HPE_INVALID_METHOD" });
  if (!server.emit("clientError", error, socket)) socket.destroy();
  return false;
}
