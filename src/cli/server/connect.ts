/** Makes the client of a command. */
import { type ClientOptions, createClient } from "../../client/index.ts";
import { environment } from "../../config/environment.ts";
import type { Connection, ConnectOptions } from "../context.ts";
import type { Output } from "../terminal.ts";
import { type ChosenServer, chooseServer, type ServerFlags } from "./choose-server.ts";
import { createFetch } from "./http-fetch.ts";

export interface ConnectFlags extends ServerFlags {
  readonly "show-curl": boolean;
}

/** @throws {StartError} */
export async function connect(
  flags: ConnectFlags,
  stdout: Output,
  { sessions = false }: ConnectOptions = {},
): Promise<Connection> {
  const server = chooseServer(flags, { env: environment, uid: process.getuid?.(), cwd: process.cwd() });
  const options = flags["show-curl"]
    ? (await import("./show-curl.ts")).showing(server, stdout)
    : await transportOf(server, sessions);
  return {
    crest: createClient({ server: server.url, token: server.token, ...options }),
    address: server.address,
  };
}

/** Sessions need a library, which takes longer to load than all the rest. */
async function transportOf(
  { transport }: ChosenServer,
  sessions: boolean,
): Promise<Pick<ClientOptions, "fetch" | "WebSocket">> {
  const fetch = createFetch(transport);
  if (!sessions) return { fetch };
  const { webSocketOver } = await import("./web-socket.ts");
  return { fetch, WebSocket: webSocketOver(transport) };
}
