/** Requests of RTSP, which Node's parser takes. See README.md. */
import { type IncomingMessage, METHODS, type Server } from "node:http";

const methods: ReadonlySet<string> = new Set(METHODS);

/** Whether the request has a method of HTTP. */
export function hasHttpMethod({ method = "" }: IncomingMessage): boolean {
  return methods.has(method);
}

/** As `hasHttpMethod`. If it has none, this is an error of the client, as if the parser had refused the request. */
export function isHttp(server: Server, request: IncomingMessage): boolean {
  if (hasHttpMethod(request)) return true;
  const { method, socket } = request;
  const error = Object.assign(new Error(`${method} is not a method of HTTP`), { code: "HPE_INVALID_METHOD" });
  if (!server.emit("clientError", error, socket)) socket.destroy();
  return false;
}
