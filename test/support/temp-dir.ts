import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The part of `node:test` that a helper needs: registering a cleanup. */
export interface AfterTest {
  after(clean: () => void | Promise<void>): void;
}

/** Creates a folder that is removed with its contents when the test ends. */
export async function tempDir(t: AfterTest): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "crest-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `run` with a fresh folder, and always removes it afterwards. */
export async function withTempDir<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "crest-test-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
