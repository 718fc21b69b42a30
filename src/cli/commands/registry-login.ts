/** Credentials for a registry, from the flags of a command. */
import { text } from "node:stream/consumers";
import type { AuthConfig } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { askSecret } from "../ask-secret.ts";
import type { Terminal } from "../terminal.ts";

export interface LoginFlags {
  readonly username: string | undefined;
  readonly "password-stdin": boolean;
  readonly creds: string | undefined;
  readonly auth: string | undefined;
  readonly "show-curl": boolean;
}

/** Undefined without any. Asks for a missing password. @throws {StartError} */
export async function registryLogin(terminal: Terminal, flags: LoginFlags): Promise<AuthConfig | undefined> {
  const { username, creds, auth } = flags;
  const given = Object.entries({ username, creds, auth }).filter(([, value]) => value !== undefined);
  if (given.length > 1)
    throw new StartError(`--${given.map(([name]) => name).join(" and --")}: write only one of them`);
  if (auth !== undefined) {
    if (flags["password-stdin"]) throw new StartError("--password-stdin: --auth has the password already");
    return { auth };
  }
  const [user, password] = split(username, creds);
  if (user === undefined) {
    if (flags["password-stdin"]) throw new StartError("--password-stdin: needs --username=USER");
    return undefined;
  }
  if (user === "") throw new StartError("The user name is empty: write --username=USER");
  if (flags["password-stdin"] && password !== undefined)
    throw new StartError("--password-stdin: --creds has the password already");
  return { username: user, password: password ?? (await missingPassword(terminal, flags, user)) };
}

function split(username: string | undefined, creds: string | undefined): readonly (string | undefined)[] {
  if (creds === undefined) return [username, undefined];
  const colon = creds.indexOf(":");
  return colon === -1 ? [creds, undefined] : [creds.slice(0, colon), creds.slice(colon + 1)];
}

async function missingPassword(terminal: Terminal, flags: LoginFlags, user: string): Promise<string> {
  // To be replaced by whoever runs the command that is shown.
  if (flags["show-curl"]) return "PASSWORD";
  if (!flags["password-stdin"])
    return askSecret(terminal, {
      question: `Password of ${user}`,
      otherwise: "write it to stdin, with --password-stdin",
    });
  const password = (await text(terminal.stdin)).replace(/\r?\n$/, "");
  if (password === "") throw new StartError("--password-stdin: stdin is empty");
  return password;
}
