/** `--show-curl`: the request as a command for curl, instead of the request. */
import type { Fetch, WebSocketClass } from "../../client/index.ts";
import { quote } from "../../shell.ts";
import type { Output } from "../terminal.ts";
import type { ChosenServer } from "./choose-server.ts";

/** Ends the command whose request was shown. */
export class ShownInstead extends Error {
  override readonly name = "ShownInstead";
}

export function showing(
  server: ChosenServer,
  stdout: Output,
): { readonly fetch: Fetch; readonly WebSocket: WebSocketClass } {
  const show = (text: string): never => {
    stdout.write(`${text}\n`);
    throw new ShownInstead();
  };
  return {
    fetch: async (url, init) => show(curlOf(server, url, init)),
    WebSocket: class {
      constructor(url: string) {
        show(sessionOf(server, url));
      }
    } as unknown as WebSocketClass,
  };
}

/** Only what curl does not do by itself. The token is read from its file, so that it is not in the shell's history. */
export function curlOf(
  server: ChosenServer,
  url: string,
  { method, headers, body }: Pick<Parameters<Fetch>[1], "method" | "headers" | "body">,
): string {
  const { authorization: _token, accept, "content-type": _type, ...others } = headers;
  const words = ["curl", "-sS", ...transportWords(server), ...authWords(server)];
  if (accept !== undefined && accept !== "application/json") words.push("-H", quote(`Accept: ${accept}`));
  for (const [name, value] of Object.entries(others)) words.push("-H", quote(`${name}: ${value}`));
  if (body !== undefined) words.push("--json", quote(body));
  const usual = body === undefined ? "GET" : "POST";
  if (method !== usual) words.push("-X", method);
  return [...words, quote(url)].join(" ");
}

/** curl cannot hold a session. */
function sessionOf(server: ChosenServer, url: string): string {
  const handshake = [
    ...["--http1.1", "--no-buffer"],
    ...["-H", quote("Connection: Upgrade"), "-H", quote("Upgrade: websocket")],
    ...["-H", quote("Sec-WebSocket-Version: 13"), "-H", quote("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")],
    ...["-H", quote("Sec-WebSocket-Protocol: v5.channel.k8s.io")],
  ];
  const words = ["curl", "-sS", ...transportWords(server), ...authWords(server), ...handshake];
  return [...words, quote(url.replace(/^ws/, "http"))].join(" ");
}

function transportWords({ transport }: ChosenServer): readonly string[] {
  return transport.socketPath === undefined ? [] : ["--unix-socket", quote(transport.socketPath)];
}

function authWords({ tokenFile }: ChosenServer): readonly string[] {
  const token = tokenFile === undefined ? "$CREST_TOKEN" : `$(cat ${quote(tokenFile)})`;
  return ["-H", `"Authorization: Bearer ${token}"`];
}
