/**
 * Picks up renewed certificates while the gateway runs.
 *
 * Rereads the files every few seconds. File system notifications would miss what Kubernetes does, which is to replace a
 * symbolic link some folders above, and modification times are useless after `cp -p`.
 */
import { loadTls, type TlsFiles, type TlsIdentity } from "./identity.ts";

export interface WatchTlsOptions {
  readonly files: TlsFiles;
  /** The identity in use at the start. */
  readonly identity: TlsIdentity;
  /** Milliseconds between two reads. Default: 10,000. */
  readonly everyMs?: number;
  /** Puts a new identity into use. */
  readonly use: (identity: TlsIdentity) => void;
  /** Called once per problem, not on every read, when the files are rejected. The previous identity stays in use. */
  readonly refuse: (error: unknown) => void;
}

export function watchTls({ files, identity, everyMs = 10_000, use, refuse }: WatchTlsOptions): {
  close(): void;
} {
  let inUse = identity;
  let refused: string | undefined;
  let timer: NodeJS.Timeout;
  let isClosed = false;

  async function look(): Promise<void> {
    try {
      const found = await loadTls(files);
      refused = undefined;
      if (isClosed || found.contents.every((text, index) => text === inUse.contents[index])) return;
      use(found);
      inUse = found;
    } catch (error) {
      // Possibly only one file of the pair has been written so far. The next read will tell.
      if (String(error) === refused) return;
      refused = String(error);
      refuse(error);
    }
  }

  function wait(): void {
    timer = setTimeout(() => void look().finally(() => isClosed || wait()), everyMs).unref();
  }
  wait();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
