/** What `crest run` asks for: the body of the request, from docker's flags. */
import { readFileSync } from "node:fs";
import type { MountInput, PortMapping, RunBody } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import type { FlagsOf } from "../commands.ts";

export interface RunSurroundings {
  readonly env: { readonly [name: string]: string | undefined };
  /** Reads a file of `--env-file`. */
  readonly readFile?: (path: string) => string;
}

/** @throws {StartError} naming the flag. */
export function runBody(
  flags: FlagsOf<"run">,
  image: string,
  commandLine: readonly string[],
  around: RunSurroundings,
): RunBody {
  const { entrypoint, interactive, tty } = flags;
  return {
    image,
    command: entrypoint === undefined ? undefined : [entrypoint],
    args: commandLine.length === 0 ? undefined : commandLine,
    name: flags.name,
    namespace: flags.namespace,
    env: environmentOf(flags, around),
    labels: labelsOf(flags.label),
    workingDir: flags.workdir,
    user: flags.user,
    tty: tty || undefined,
    stdin: interactive || undefined,
    // So that the end of our input is that of the program.
    container: interactive && !flags.detach && !tty ? { stdinOnce: true } : undefined,
    mounts: optional(flags.volume.map(mountOf)),
    ports: optional(flags.publish.map(portOf)),
    memory: flags.memory === undefined ? undefined : memoryOf(flags.memory),
    cpus: flags.cpus === undefined ? undefined : cpusOf(flags.cpus),
    hostNetwork: flags["host-network"] || undefined,
    runtimeHandler: flags.runtime,
  };
}

const optional = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list);

const short = (text: string): string => text.slice(0, 100);

/** `K=V`, or `K` for the value here; later ones win. */
function environmentOf(
  { env, "env-file": files }: Pick<FlagsOf<"run">, "env" | "env-file">,
  { env: own, readFile = (path) => readFileSync(path, "utf8") }: RunSurroundings,
): { [name: string]: string } | undefined {
  const found: { [name: string]: string } = {};
  const add = (place: string, text: string): void => {
    const at = text.indexOf("=");
    const name = at === -1 ? text : text.slice(0, at);
    if (name === "" || /\s|\0/.test(name))
      throw new StartError(`${place}: expected NAME=VALUE, or NAME for its value here, got ${short(text)}`);
    const value = at === -1 ? own[name] : text.slice(at + 1);
    // As with docker: a variable that is not set here is not set there.
    if (value !== undefined) found[name] = value;
  };
  for (const path of files) {
    let content: string;
    try {
      content = readFile(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartError(`--env-file=${short(path)}: ${reason}`, { cause: error });
    }
    for (const [index, line] of content.split(/\r?\n/).entries())
      if (line.trim() !== "" && !line.trimStart().startsWith("#"))
        add(`--env-file=${short(path)}, line ${index + 1}`, line.trimStart());
  }
  for (const text of env) add("--env", text);
  return Object.keys(found).length === 0 ? undefined : found;
}

function labelsOf(texts: readonly string[]): { [key: string]: string } | undefined {
  if (texts.length === 0) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at === 0) throw new StartError(`--label=${short(text)}: expected KEY=VALUE`);
      return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

/** `/srv/data:/data:ro` */
function mountOf(text: string): MountInput {
  const [hostPath = "", containerPath = "", mode, ...more] = text.split(":");
  const isWrong = !hostPath.startsWith("/") || !containerPath.startsWith("/") || more.length > 0;
  if (isWrong || (mode !== undefined && mode !== "ro" && mode !== "rw"))
    throw new StartError(
      `--volume=${short(text)}: expected NODE_PATH:CONTAINER_PATH, both absolute, such as /srv/data:/data, or /srv/data:/data:ro`,
    );
  return { hostPath, containerPath, ...(mode === "ro" ? { readonly: true } : {}) };
}

/** `8080:80`, `127.0.0.1:8080:80`, `[::1]:53:53/udp` */
function portOf(text: string): PortMapping {
  const match = /^(?:(\[[\da-f:.]+\]|\d+(?:\.\d+){3}):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(
    text,
  );
  const [, address, host, inPod, protocol = "tcp"] = match ?? [];
  const hostPort = Number(host);
  const containerPort = Number(inPod);
  const areWrong = [hostPort, containerPort].some((port) => !(port >= 1 && port <= 0xffff));
  if (match === null || areWrong)
    throw new StartError(
      `--publish=${short(text)}: expected NODE_PORT:POD_PORT, such as 8080:80, 127.0.0.1:8080:80 or 53:53/udp`,
    );
  return {
    hostPort,
    containerPort,
    ...(address === undefined ? {} : { hostIp: address.replace(/^\[|\]$/g, "") }),
    ...(protocol.toLowerCase() === "tcp" ? {} : { protocol: protocol.toUpperCase() as "UDP" | "SCTP" }),
  };
}

/** docker's `256m` is `256Mi`. */
function memoryOf(text: string): string {
  const [, number, unit = ""] = /^([1-9]\d{0,15})([kmgt]?)i?b?$/i.exec(text) ?? [];
  if (number === undefined)
    throw new StartError(
      `--memory=${short(text)}: expected bytes or a number with a unit, such as 256m or 1g`,
    );
  return unit === "" ? number : `${number}${unit.toUpperCase()}i`;
}

function cpusOf(text: string): number {
  const cpus = /^\d{1,5}(\.\d{1,9})?$|^\.\d{1,9}$/.test(text) ? Number(text) : 0;
  if (cpus > 0) return cpus;
  throw new StartError(`--cpus=${short(text)}: expected a number of CPUs, such as 0.5 or 2`);
}
