/** `crest server` */
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { environment } from "../../config/environment.ts";
import { StartError } from "../../errors.ts";
import { readTrustedFile } from "../../files/trusted-file.ts";
import { reasonOf } from "../../files/trusted-path.ts";
import { printable } from "../../printable.ts";
import type { CommandContext, Run } from "../context.ts";
import { type Column, table } from "../output/table.ts";
import { isAddress, isInTheClear, parseAddress } from "../server/address.ts";
import { changeProfiles } from "../server/change-profiles.ts";
import { checkToken } from "../server/choose-server.ts";
import {
  checkName,
  configFolder,
  localName,
  type Profiles,
  profileNamed,
  profilesFileIn,
  readProfiles,
  type ServerProfile,
} from "../server/profiles.ts";
import { write } from "../terminal.ts";
import { workingFolder } from "../working-folder.ts";

type Context = CommandContext<"server">;
type Action = (ctx: Context, folder: string, name: string, url: string) => Promise<void>;

const actions = {
  add: { operands: ["NAME", "URL"], work: add },
  use: { operands: ["NAME"], work: use },
  list: { operands: [], work: list },
  show: { operands: ["[NAME]"], work: show },
  remove: { operands: ["NAME"], work: remove },
} as const satisfies {
  readonly [name: string]: { readonly operands: readonly string[]; readonly work: Action };
};

const flagsOfAdd = ["token-stdin", "ca", "cert", "key", "use", "replace"] as const;

export const run: Run<"server"> = async (ctx) => {
  const [word = "", ...operands] = ctx.operands;
  const action = actions[word as keyof typeof actions];
  checkUsage(ctx, word, action.operands, operands);
  const folder = configFolder(environment);
  if (folder === undefined)
    throw new StartError("Cannot tell where the servers are: set HOME or XDG_CONFIG_HOME");
  await action.work(ctx, folder, operands[0] ?? "", operands[1] ?? "");
  return 0;
};

/** @throws {StartError} for what another action takes. */
function checkUsage(
  { flags }: Context,
  word: string,
  operands: readonly string[],
  given: readonly string[],
): void {
  const usage = ["write crest server", word, ...operands].join(" ");
  const missing = operands.filter((operand) => !operand.startsWith("["))[given.length];
  if (missing !== undefined) throw new StartError(`crest server ${word}: ${missing} is missing, ${usage}`);
  const extra = given[operands.length];
  if (extra !== undefined) throw new StartError(`${extra}: unexpected argument, ${usage}`);
  if (flags.server !== undefined) throw new StartError(`--server: not a flag of crest server, ${usage}`);
  if (flags.output !== undefined && word !== "list" && word !== "show")
    throw new StartError("--output: a flag of crest server list and show");
  const ofAdd = word === "add" ? undefined : flagsOfAdd.find((name) => flags[name]);
  const stray = ofAdd ?? (word !== "add" && flags["token-file"] !== undefined ? "token-file" : undefined);
  if (stray !== undefined) throw new StartError(`--${stray}: a flag of crest server add`);
}

async function add(ctx: Context, folder: string, name: string, url: string): Promise<void> {
  const { flags, stderr } = ctx;
  if (isAddress(name) && !isAddress(url))
    throw new StartError(`${name}: the name comes first, write crest server add ${url} ${name}`);
  checkName(name);
  const cwd = workingFolder();
  const parsed = parseAddress(url, "URL", cwd);
  const profile = await profileOf(ctx, name, parsed.address);
  const token = flags["token-stdin"] ? checkToken(await readAll(ctx), "The token on stdin") : undefined;
  await changeProfiles(folder, async ({ current, servers }, { writeToken, tokenFileOf }) => {
    const before = servers.find((one) => one.name === name);
    if (before !== undefined && !flags.replace)
      throw new StartError(
        `${name}: is ${before.address} already, remove it first with crest server remove ${name}, or write --replace`,
      );
    const tokenFile = token === undefined ? profile.tokenFile : await writeToken(name, token);
    if (before?.tokenFile === tokenFileOf(name) && tokenFile !== before.tokenFile)
      await rm(before.tokenFile, { force: true });
    const added = { ...profile, ...(tokenFile === undefined ? {} : { tokenFile }) };
    const next = flags.use ? name : current;
    const profiles: Profiles = {
      ...(next === undefined ? {} : { current: next }),
      servers: [...servers.filter((one) => one.name !== name), added],
    };
    return { profiles, result: undefined };
  });
  const hint = flags.use
    ? "commands talk to it from now on"
    : `crest server use ${name} makes commands talk to it`;
  stderr.write(`${name} is ${printable(parsed.address)}, ${hint}\n`);
  if (profile.tokenFile === undefined && token === undefined && profile.certFile === undefined)
    stderr.write("It has no token: write one in CREST_TOKEN, or add it again with --token-file\n");
  if (isInTheClear(parsed))
    stderr.write(`The token travels there in the clear. Outside this machine, use https\n`);
}

/** Reads each file once, so that a wrong path is told now. @throws {StartError} */
async function profileOf({ flags }: Context, name: string, address: string): Promise<ServerProfile> {
  const { ca, cert, key } = flags;
  const tokenFile = flags["token-file"];
  if ((cert === undefined) !== (key === undefined))
    throw new StartError(
      `--${cert === undefined ? "key" : "cert"}: needs --${cert === undefined ? "cert" : "key"}, too`,
    );
  if (!address.startsWith("https:") && (ca ?? cert) !== undefined)
    throw new StartError(`--${ca === undefined ? "cert" : "ca"}: only for https, not for ${address}`);
  if (tokenFile !== undefined && flags["token-stdin"])
    throw new StartError("--token-stdin: write either this or --token-file");
  const files = {
    ...fileOf("tokenFile", tokenFile, "token-file", (text) => checkToken(text, `--token-file=${tokenFile}`)),
    ...fileOf("caFile", ca, "ca"),
    ...fileOf("certFile", cert, "cert"),
    ...fileOf("keyFile", key, "key"),
  };
  if (ca !== undefined || cert !== undefined) await checkPem(files);
  return { name, address, ...files };
}

type Files = Partial<Pick<ServerProfile, "tokenFile" | "caFile" | "certFile" | "keyFile">>;

function fileOf(
  member: keyof Files,
  path: string | undefined,
  flag: string,
  check = (_: string): unknown => undefined,
): Files {
  if (path === undefined) return {};
  const absolute = resolve(workingFolder(), path);
  let text: string;
  try {
    text = readTrustedFile(absolute).toString("utf8");
  } catch (error) {
    throw new StartError(`--${flag}=${path}: cannot read it: ${reasonOf(error)}`, { cause: error });
  }
  check(text);
  return { [member]: absolute };
}

/** @throws {StartError} for files that TLS cannot use. */
async function checkPem({ caFile, certFile, keyFile }: Files): Promise<void> {
  const { createSecureContext } = await import("node:tls");
  const read = (path: string | undefined): string | undefined =>
    path === undefined ? undefined : readTrustedFile(path).toString("utf8");
  const [ca, cert, key] = [read(caFile), read(certFile), read(keyFile)];
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----"))
    throw new StartError(`--ca=${caFile}: has no certificate, expected PEM`);
  try {
    createSecureContext({ ca, cert, key });
  } catch (error) {
    const what = [ca && "--ca", cert && "--cert", key && "--key"].filter(Boolean).join(", ");
    const why = error instanceof Error ? error.message : String(error);
    throw new StartError(`${what}: TLS cannot use this: ${why}`, { cause: error });
  }
}

async function readAll({ stdin }: Context): Promise<string> {
  if (stdin.isTTY === true)
    throw new StartError("--token-stdin: expected a token from a pipe or a file, not from the terminal");
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stdin) {
    size += piece.length;
    if (size > 65_536) throw new StartError("The token on stdin: more than 64 KiB are no token");
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces).toString("utf8");
}

async function use({ stderr }: Context, folder: string, name: string): Promise<void> {
  const address = await changeProfiles(folder, async ({ servers }) => {
    if (name === localName) return { profiles: { servers }, result: "the gateway of this machine" };
    const { address } = profileNamed({ servers }, name);
    return { profiles: { current: name, servers }, result: address };
  });
  stderr.write(`Commands talk to ${name}, ${printable(address)}\n`);
  if (environment.CREST_SERVER) stderr.write("CREST_SERVER is set and goes before it\n");
}

async function remove({ stderr }: Context, folder: string, name: string): Promise<void> {
  const wasCurrent = await changeProfiles(folder, async ({ current, servers }, { tokenFileOf }) => {
    const { tokenFile } = profileNamed({ servers }, name);
    if (tokenFile === tokenFileOf(name)) await rm(tokenFile, { force: true });
    const isCurrent = current === name;
    const profiles: Profiles = {
      ...(current === undefined || isCurrent ? {} : { current }),
      servers: servers.filter((one) => one.name !== name),
    };
    return { profiles, result: isCurrent };
  });
  stderr.write(`Forgot ${name}\n`);
  if (wasCurrent) stderr.write("Commands talk to the gateway of this machine again\n");
}

/** A server as `list` and `show` tell it. */
interface Row extends ServerProfile {
  readonly isCurrent: boolean;
}

const columns: readonly Column<Row>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "CURRENT", value: ({ isCurrent }) => (isCurrent ? "yes" : "") },
  { title: "ADDRESS", value: ({ address }) => address },
  {
    title: "TOKEN",
    value: ({ tokenFile, certFile }) => tokenFile ?? (certFile === undefined ? "-" : "certificate"),
  },
];

const localRow = (isCurrent: boolean): Row => ({
  name: localName,
  address: "the gateway of this machine",
  isCurrent,
});

async function list({ flags, stdout }: Context, folder: string): Promise<void> {
  const profiles = readProfiles(profilesFileIn(folder));
  const { current, servers } = profiles;
  if (flags.output === "json") return await write(stdout, `${JSON.stringify(profiles)}\n`);
  const rows = servers.map((server) => ({ ...server, isCurrent: server.name === current }));
  await write(stdout, table(columns, [localRow(current === undefined), ...rows]));
}

async function show({ flags, stdout }: Context, folder: string, given: string): Promise<void> {
  const profiles = readProfiles(profilesFileIn(folder));
  const name = given === "" ? (profiles.current ?? localName) : given;
  const server = name === localName ? localRow(profiles.current === undefined) : profileNamed(profiles, name);
  const isCurrent = (profiles.current ?? localName) === name;
  const { address, tokenFile, caFile, certFile, keyFile } = server;
  const shown = { name, address, isCurrent, tokenFile, caFile, certFile, keyFile };
  if (flags.output === "json") return await write(stdout, `${JSON.stringify(shown)}\n`);
  const titles = {
    name: "Name",
    address: "Address",
    isCurrent: "Current",
    tokenFile: "Token file",
    caFile: "Trusts",
    certFile: "Certificate",
    keyFile: "Key",
  } as const;
  const lines = Object.entries(titles).flatMap(([member, title]) => {
    const value = shown[member as keyof typeof titles];
    if (value === undefined) return [];
    const text = typeof value === "boolean" ? (value ? "yes" : "no") : printable(value);
    return [`${title.padEnd(12)} ${text}\n`];
  });
  await write(stdout, lines.join(""));
}
