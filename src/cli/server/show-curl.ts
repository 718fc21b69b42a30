/** `--show-curl`: the request as a command for curl, instead of the request. */
import type { Fetch, WebSocketClass } from "../../client/index.ts";
import { defaultPageSize } from "../../client/list.ts";
import { environment } from "../../config/environment.ts";
import { StartError } from "../../errors.ts";
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

type Init = Pick<Parameters<Fetch>[1], "method" | "headers" | "body">;

/** An argument of a command may have 128 KiB on Linux. */
const maxArgumentBytes = 100_000;

/**
 * A command line for sh that sends the request. It fails with 22 where the gateway refuses, and prints the problem. The
 * token is read from its file, so that it is neither shown nor in the shell's history.
 */
export function curlOf(server: ChosenServer, url: string, { method, headers, body }: Init): string {
  const address = withoutPageSize(url);
  const { authorization: _token, accept = "application/json", "content-type": type, ...others } = headers;
  const words = ["curl", "-sS", "--fail-with-body"];
  if (isStream(address, accept)) words.push("-N");
  words.push(...transportWords(server, address), ...authWords(server));
  if (isNeeded(address, accept)) words.push("-H", quote(`Accept: ${accept}`));
  for (const [name, value] of Object.entries(others)) words.push("-H", quote(`${name}: ${value}`));
  const isLong = body !== undefined && Buffer.byteLength(body) > maxArgumentBytes;
  if (body !== undefined) {
    if (type !== "application/json") words.push("-H", quote(`Content-Type: ${type}`));
    const flag = type === "application/json" ? "--json" : isLong ? "--data-binary" : "--data-raw";
    words.push(flag, isLong ? "@-" : quote(body));
  }
  const usual = body === undefined ? "GET" : "POST";
  if (method !== usual) words.push("-X", method);
  const line = [...words, quote(address)].join(" ");
  return isLong ? `${line} <<'${endOf(body)}'\n${body}\n${endOf(body)}` : line;
}

/** A line that the text does not have. */
function endOf(text: string): string {
  let end = "END";
  while (text.includes(end)) end += "_END";
  return end;
}

/** The client reads lists in pages; without a size, the gateway answers with the whole list. */
function withoutPageSize(url: string): string {
  const address = new URL(url);
  if (address.searchParams.get("limit") === String(defaultPageSize) && !address.searchParams.has("continue"))
    address.searchParams.delete("limit");
  return address.href;
}

const isStream = (url: string, accept: string): boolean =>
  accept !== "application/json" || new URL(url).searchParams.get("follow") === "true";

/** JSON is what the gateway answers with by itself, except for logs, which are text. */
const isNeeded = (url: string, accept: string): boolean =>
  accept !== "application/json" || new URL(url).pathname.endsWith("/logs");

/** A command without input and terminal has a request of its own; a session has none. @throws {StartError} */
function sessionOf(server: ChosenServer, url: string): string {
  const address = new URL(url.replace(/^ws/, "http"));
  const { pathname, searchParams: query } = address;
  const isCommand = pathname.endsWith("/exec");
  if (isCommand && query.get("stdin") !== "true" && query.get("tty") !== "true") {
    const body = JSON.stringify({ cmd: query.getAll("command") });
    const headers = { "content-type": "application/json" };
    return curlOf(server, address.origin + pathname, { method: "POST", headers, body });
  }
  const instead = isCommand ? "; without -i and -t it can run the command" : "";
  throw new StartError(
    `curl cannot hold a session${instead}. It is a WebSocket with the subprotocol v5.channel.k8s.io at ${url}`,
  );
}

function transportWords({ transport, files }: ChosenServer, url: string): readonly string[] {
  const { caFile, certFile, keyFile } = files;
  const words: string[] = [];
  if (transport.socketPath !== undefined) words.push("--unix-socket", quote(transport.socketPath));
  if (url.startsWith("https:")) {
    if (caFile !== undefined) words.push("--cacert", quote(caFile));
    if (certFile !== undefined) words.push("--cert", quote(certFile));
    if (keyFile !== undefined) words.push("--key", quote(keyFile));
  }
  // Unlike curl, commands do not take a proxy from the environment.
  if (proxyVariables.some((name) => environment[name])) words.push("--noproxy", "'*'");
  if (/[[\]{}]/.test(url)) words.push("-g");
  return words;
}

const proxyVariables = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] as const;

function authWords({ token, files: { tokenFile } }: ChosenServer): readonly string[] {
  if (token === undefined) return [];
  const text = tokenFile === undefined ? "$CREST_TOKEN" : `$(cat ${quote(tokenFile)})`;
  return ["-H", `"Authorization: Bearer ${text}"`];
}
