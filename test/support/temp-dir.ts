import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What of `node:test` a helper needs: something to call when the test is over. */
export interface AfterTest {
  after(clean: () => void | Promise<void>): void;
}

/** A fresh folder that is removed, with all in it, when the test ends. */
export async function tempDir(t: AfterTest): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "crest-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs something with a fresh folder that is gone afterwards, whatever happens. */
export async function withTempDir<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "crest-test-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
