/** Where a gateway is: a URL or a Unix socket. */
import { resolve } from "node:path";
import { StartError } from "../../errors.ts";

export interface ServerAddress {
  /** As messages name it: `http://127.0.0.1:8585`, `unix:/run/crest.sock`. */
  readonly address: string;
  /** The base of its URLs, without a slash at its end: of a Unix socket `http://localhost`. */
  readonly url: string;
  readonly socketPath: string | undefined;
}

/** Whether the text is an address, as opposed to the name of a server. */
export const isAddress = (text: string): boolean => /^unix:|[:/]/.test(text);

/**
 * @param place Where the text comes from, for messages: `--server`.
 * @param cwd The base of a relative path of a socket.
 * @throws {StartError} saying what to write.
 */
export function parseAddress(text: string, place: string, cwd: string): ServerAddress {
  if (/^unix:/i.test(text)) {
    const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
    if (path === "" || path.includes("\0"))
      throw new StartError(`${place}: write the path of the socket, unix:/run/crest.sock`);
    const socketPath = resolve(cwd, path);
    return { address: `unix:${socketPath}`, url: "http://localhost", socketPath };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new StartError(`${place}=${text}: ${suggestion(text)}`);
  // Does not repeat the text: it may have a password.
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
    throw new StartError(
      `${place}: a URL with a user, a query or a fragment, write only host and path; the token has a file of its own, --token-file`,
    );
  const address = withoutSlashes(url.href);
  return { address, url: address, socketPath: undefined };
}

function suggestion(text: string): string {
  if (text.startsWith("/") || text.startsWith(".")) return `for a socket, write unix:${text}`;
  const asUrl = `http://${text}`;
  if (/^[\w.[\]:-]+(\/.*)?$/.test(text) && !/^\w+:\/\//.test(text) && URL.canParse(asUrl))
    return `write a URL, ${asUrl} or https://${text}`;
  return "write a URL such as http://127.0.0.1:8585, or unix:PATH";
}

/** Whether what is sent there leaves this machine in the clear. */
export function isInTheClear({ url, socketPath }: ServerAddress): boolean {
  if (socketPath !== undefined || url.startsWith("https:")) return false;
  const { hostname } = new URL(url);
  return !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

function withoutSlashes(text: string): string {
  let end = text.length;
  while (text[end - 1] === "/") end--;
  return text.slice(0, end);
}
