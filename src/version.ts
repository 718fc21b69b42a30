/** Crest's version, from package.json: the one place where it stands. */
import { readFileSync } from "node:fs";

/** Beside `src/` when the sources run, one folder further up when the build does. */
const candidates = [
  new URL("../package.json", import.meta.url),
  new URL("../../package.json", import.meta.url),
];

function readVersion(): string {
  for (const candidate of candidates) {
    try {
      const { name, version } = JSON.parse(readFileSync(candidate, "utf8")) as {
        name?: string;
        version?: string;
      };
      if (name === "crest-cri" && version !== undefined) return version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("Cannot find Crest's package.json");
}

export const version: string = readVersion();
