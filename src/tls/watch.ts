/**
 * Takes up certificates that are renewed while the gateway runs.
 *
 * The files are read again every few seconds. Notices of the file system would miss what Kubernetes does,
 * which moves a symbolic link some folders above, and a time of change says nothing after `cp -p`.
 */
import { loadTls, type TlsFiles, type TlsIdentity } from "./identity.ts";

export interface WatchTlsOptions {
  readonly files: TlsFiles;
  /** What is in use. */
  readonly identity: TlsIdentity;
  /** Default 10,000. */
  readonly everyMs?: number;
  /** Puts a new identity into use. */
  readonly use: (identity: TlsIdentity) => void;
  /** Told once, not every time, why files are not taken; the identity before stays in use. */
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
      // Half of a pair may be written by now: it is looked at again.
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
