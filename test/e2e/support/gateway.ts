/** Gateways under test: the built program in a process of its own, on a folder of its own. */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathsOf } from "../../../src/embedded/paths.ts";
import { sweep } from "../../../src/embedded/sweep.ts";
import { type CrestProcess, spawnCrest } from "../../support/spawn-crest.ts";
import { type Api, createApi } from "./api.ts";

export interface Gateway extends Api {
  /** `http://127.0.0.1:PORT` or `unix:/path`. */
  readonly address: string;
  readonly token: string;
  readonly dataDir: string;
  readonly process: CrestProcess;
  /** Stops it and removes its folder; idempotent. */
  close(): Promise<void>;
}

export interface GatewayOptions {
  /** Besides `--data-dir` and `--listen`. */
  readonly args?: readonly string[];
  /** Default: a free port of 127.0.0.1. */
  readonly listen?: string;
  /** Default: a fresh one. It is removed in the end. */
  readonly dataDir?: string;
  readonly env?: { readonly [name: string]: string | undefined };
}

const readyTimeoutMs = 60_000;
/** Removing pods takes its time on a busy machine. */
const stopTimeoutMs = 60_000;

/** The line that says that a gateway serves, with its address. */
export const readyLine = /^Crest is ready at (\S+)$/m;

/** A fresh folder, by the name that processes and mounts will have it. */
export function newFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "crest-e2e-")));
}

/** `crest up` or `crest serve`; resolves when it serves. */
export async function startGateway(command: "up" | "serve", options: GatewayOptions = {}): Promise<Gateway> {
  const { args = [], listen = "127.0.0.1:0", dataDir = newFolder(), env = {} } = options;
  const process = spawnCrest([command, `--data-dir=${dataDir}`, `--listen=${listen}`, ...args], {
    ready: readyLine,
    readyTimeoutMs,
    env,
  });
  let closing: Promise<void> | undefined;
  const closeProcess = async () => {
    process.kill("SIGTERM");
    const timer = setTimeout(() => process.kill("SIGKILL"), stopTimeoutMs);
    await process.exit;
    clearTimeout(timer);
    await removeFolder(dataDir);
  };
  try {
    const address = await process.ready;
    const token = readFileSync(join(dataDir, "token"), "utf8").trim();
    const api = createApi(address, token);
    return {
      ...api,
      ...{ address, token, dataDir, process },
      close() {
        api.close();
        closing ??= closeProcess();
        return closing;
      },
    };
  } catch (error) {
    await closeProcess();
    throw error;
  }
}

/** Removes a gateway's folder, and first what a killed one left running in it. */
export async function removeFolder(dataDir: string): Promise<void> {
  if (existsSync(join(dataDir, "containerd-state"))) await sweep(pathsOf(dataDir));
  rmSync(dataDir, { recursive: true, force: true });
}
