/** Runs a command of `crest` in this process, against the gateway of a test. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findCommand } from "../../src/cli/find-command.ts";
import { runCommand as run } from "../../src/cli/main.ts";
import { type FakeTerminal, type FakeTerminalOptions, fakeTerminal } from "../support/fake-terminal.ts";
import { type LiveGateway, token } from "./live-gateway.ts";

export interface CommandEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions extends FakeTerminalOptions {
  /** Default: that of `fakeTerminal`. */
  readonly terminal?: FakeTerminal;
  /** Default: the token that may do everything. */
  readonly token?: string;
}

/** `runCommand(gateway, ["ps", "-a"])`: flags for the server and its token are added. */
export async function runCommand(
  { port }: Pick<LiveGateway, "port">,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<CommandEnd> {
  const found = findCommand(argv);
  if (found.kind !== "client") throw new TypeError(`${argv[0]} is not a command of a client`);
  const { terminal = fakeTerminal(options) } = options;
  const folder = mkdtempSync(join(tmpdir(), "crest-token-"));
  const tokenFile = join(folder, "token");
  try {
    writeFileSync(tokenFile, options.token ?? token);
    chmodSync(tokenFile, 0o600);
    const server = [`--server=http://127.0.0.1:${port}`, `--token-file=${tokenFile}`];
    const code = await run(found.name, [...server, ...found.argv], terminal);
    return { code, stdout: terminal.stdout.text(), stderr: terminal.stderr.text() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
