/**
 * Where the logs of pods and containers go when the caller does not say. Both parts are always given, and
 * the folders made first: cri-dockerd leaves containers behind otherwise.
 */
import { dirname, isAbsolute, join } from "node:path";
import type { Input } from "../cri/codec.ts";
import { makeFolder } from "../files/make-folder.ts";
import type { PodSandboxMetadata } from "../gen/messages.ts";
import { refusal } from "./refusals.ts";

/** The folder of all logs in a data folder. */
export const logRootOf = (dataDir: string): string => join(dataDir, "logs");

/** A pod's own folder below `logRoot`. */
export function logFolderOf(logRoot: string, pod: Input<PodSandboxMetadata>): string {
  return join(logRoot, [pod.namespace, pod.name, pod.uid].map((part) => safeName(part ?? "")).join("_"));
}

/** A container's log file in its pod's folder. */
export function logFileOf(name: string, attempt: number): string {
  return `${safeName(name)}/${attempt}.log`;
}

/** Names are not file names: they may hold slashes. */
const safeName = (name: string): string => name.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^\.+$/, "-");

/**
 * Makes a folder of log files. A relative one would be made here, and again where the runtime was started.
 *
 * @throws {InvalidValue} at `pointer` when it is relative, or cannot be made.
 */
export async function makeLogFolder(path: string, pointer: string): Promise<void> {
  if (!isAbsolute(path)) throw refusal(pointer, `must be an absolute path, got "${path}"`);
  try {
    await makeFolder(path, 0o755);
  } catch (error) {
    // The runtime is root and mostly makes it itself; a gateway that is not root need not.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") return;
    const detail = `must be a folder, or a path where one can be made (${code ?? error})`;
    throw refusal(pointer, detail, { cause: error });
  }
}

/**
 * Makes the folder of a container's log file, as only some runtimes do themselves.
 *
 * @throws {InvalidValue} at `/config/logPath` when it cannot be made.
 */
export async function makeFolderOf(logPath: string, podFolder: string): Promise<void> {
  await makeLogFolder(dirname(join(podFolder, logPath)), "/config/logPath");
}
