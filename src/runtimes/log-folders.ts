/**
 * Default log paths for pods and containers: no two containers share a file. Crest always sets both parts and creates
 * the folders first, because cri-dockerd leaves containers behind otherwise.
 */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Input } from "../cri/codec.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { PodSandboxMetadata } from "../gen/messages.ts";
import { refusal } from "./refusals.ts";

/** The folder for all logs in a data folder. */
export const logRootOf = (dataDir: string): string => join(dataDir, "logs");

/**
 * A pod's own folder below `logRoot`: `NAMESPACE_NAME_UID`, as a kubelet has it. No two pods that exist at the same time
 * share one: `~ATTEMPT` follows for other attempts than 0, and a hash if a name had to be changed or cut.
 */
export function logFolderOf(logRoot: string, pod: Input<PodSandboxMetadata>): string {
  const { namespace = "", name = "", uid = "", attempt = 0 } = pod;
  const parts = [namespace, name, uid];
  // The underscore separates the parts, so that it cannot be kept in them.
  const isPlain = parts.every((part) => /^[A-Za-z0-9.-]*$/.test(part));
  const folder = attempt === 0 ? parts.join("_") : `${parts.join("_")}~${attempt}`;
  if (isPlain && folder.length <= maxNameBytes) return join(logRoot, folder);
  return join(logRoot, hashedName(parts, attempt));
}

/**
 * A free log file for a container, relative to its pod's folder: `NAME/ATTEMPT.log`, as a kubelet has it.
 *
 * A container of the same name and attempt may have been removed before, and its log is kept for some time. The new
 * one then gets `NAME/ATTEMPT~2.log` and so on. A folder that this process cannot read counts as empty.
 */
export async function logFileOf(podFolder: string, name: string, attempt: number): Promise<string> {
  const isPlain = /^[A-Za-z0-9._-]+$/.test(name) && !/^\.+$/.test(name) && name.length <= maxNameBytes;
  const folder = isPlain ? name : hashedName([name]);
  const taken = await readdir(join(podFolder, folder)).catch((): string[] => []);
  for (let count = 1; ; count++) {
    const file = count === 1 ? `${attempt}.log` : `${attempt}~${count}.log`;
    // Rotated files of the earlier container have a suffix.
    if (!taken.some((other) => other === file || other.startsWith(`${file}.`))) return join(folder, file);
  }
}

/** NAME_MAX of Linux' file systems. */
const maxNameBytes = 255;
const maxPartLength = 70;

/**
 * A readable, valid file name that is unique for `parts`. Readable characters alone would let `a/b` and `a-b`, or two
 * names in Chinese, end in one file. No plain name contains a tilde, so that none looks like a hashed one.
 */
function hashedName(parts: readonly string[], attempt = 0): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([parts, attempt]))
    .digest("hex")
    .slice(0, 32);
  const readable = parts.map((part) => part.replace(/[^A-Za-z0-9.-]/g, "-").slice(0, maxPartLength));
  return `${readable.join("_")}~${hash}`;
}

/**
 * Creates a log folder. A relative path would be created here, and again in the runtime's working directory.
 *
 * @throws {InvalidValue} At `pointer`, when the path is relative or cannot be created.
 */
export async function makeLogFolder(path: string, pointer: string): Promise<void> {
  if (!isAbsolute(path)) throw refusal(pointer, `must be an absolute path, got "${path}"`);
  try {
    await makeFolder(path, 0o755);
  } catch (error) {
    // The runtime runs as root and usually creates it, so a gateway that is not root need not.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") return;
    const detail = `must be a folder, or a path where one can be created (${code ?? error})`;
    throw refusal(pointer, detail, { cause: error });
  }
}

/**
 * Creates the folder of a container's log file, because only some runtimes do.
 *
 * @throws {InvalidValue} At `/config/logPath`, when it cannot be created.
 */
export async function makeFolderOf(logPath: string, podFolder: string): Promise<void> {
  await makeLogFolder(dirname(join(podFolder, logPath)), "/config/logPath");
}
