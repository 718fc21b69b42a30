/** Makes the client of a command. */
import { type ClientOptions, createClient } from "../../client/index.ts";
import { environment } from "../../config/environment.ts";
import { StartError } from "../../errors.ts";
import { printable } from "../../printable.ts";
import type { Connection, ConnectOptions } from "../context.ts";
import { styled, type Terminal } from "../terminal.ts";
import { workingFolder } from "../working-folder.ts";
import { type ChosenServer, chooseServer, type ServerFlags } from "./choose-server.ts";
import { createFetch } from "./http-fetch.ts";

export interface ConnectFlags extends ServerFlags {
  readonly "show-curl": boolean;
}

/** @throws {StartError} */
export async function connect(
  flags: ConnectFlags,
  { stdout, stderr }: Pick<Terminal, "stdout" | "stderr">,
  { sessions = false }: ConnectOptions = {},
): Promise<Connection> {
  const server = chooseServer(flags, { env: environment, uid: process.getuid?.(), cwd: workingFolder() });
  const { url, token, address, dataDir, warning } = server;
  if (warning !== undefined) stderr.write(`${styled(stderr, "yellow", "crest:")} ${printable(warning)}\n`);
  if (dataDir !== undefined) await checkAlive(dataDir);
  const options = flags["show-curl"]
    ? (await import("./show-curl.ts")).showing(server, stdout)
    : await transportOf(server, sessions);
  return { crest: createClient({ server: url, token, ...options }), address };
}

/**
 * A gateway that was killed leaves its address behind, which another user of this machine may have by now, and would get
 * the token.
 *
 * @throws {StartError} if no process holds the lock of the data folder.
 */
async function checkAlive(dataDir: string): Promise<void> {
  const [{ lockOwner }, { gatewayLockIn }] = await Promise.all([
    import("../../files/socket-lock.ts"),
    import("../../local-gateway.ts"),
  ]);
  if ((await lockOwner(gatewayLockIn(dataDir))) !== undefined) return;
  throw new StartError(
    `The gateway with the data folder ${dataDir} has ended: start it again with crest up or crest serve, or name another with --server`,
  );
}

/** Sessions need a library, which takes longer to load than all the rest. */
async function transportOf(
  { transport, address }: ChosenServer,
  sessions: boolean,
): Promise<Pick<ClientOptions, "fetch" | "WebSocket">> {
  const fetch = createFetch(transport, address);
  if (!sessions) return { fetch };
  const { webSocketOver } = await import("./web-socket.ts");
  return { fetch, WebSocket: webSocketOver(transport) };
}
