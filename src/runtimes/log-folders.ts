/**
 * Default log paths for pods and containers. Crest always sets both parts and creates the folders first, because
 * cri-dockerd leaves containers behind otherwise.
 */
import { dirname, isAbsolute, join } from "node:path";
import type { Input } from "../cri/codec.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { PodSandboxMetadata } from "../gen/messages.ts";
import { refusal } from "./refusals.ts";

/** The folder for all logs in a data folder. */
export const logRootOf = (dataDir: string): string => join(dataDir, "logs");

/** A pod's own folder below `logRoot`. */
export function logFolderOf(logRoot: string, pod: Input<PodSandboxMetadata>): string {
  return join(logRoot, [pod.namespace, pod.name, pod.uid].map((part) => safeName(part ?? "")).join("_"));
}

/** A container's log file in its pod's folder. */
export function logFileOf(name: string, attempt: number): string {
  return `${safeName(name)}/${attempt}.log`;
}

/** Names may contain slashes, so they are not valid file names. */
const safeName = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^\.+$/, "-");

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
