/** Locates Crest's package folder and reads its version, which is defined only in package.json. */
import { readFileSync } from "node:fs";

/** Next to `src/` when running the sources, one folder further up when running the build. */
const candidates = [new URL("../", import.meta.url), new URL("../../", import.meta.url)];

function findPackage(): { readonly folder: URL; readonly version: string } {
  for (const folder of candidates) {
    try {
      const text = readFileSync(new URL("package.json", folder), "utf8");
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === "crest-cri" && version !== undefined) return { folder, version };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("Cannot find Crest's package.json");
}

const found = findPackage();

export const version: string = found.version;
/** The published OpenAPI document. */
export const openApiFile: URL = new URL("openapi/openapi.json", found.folder);
