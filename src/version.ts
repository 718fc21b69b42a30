/** Crest's own package: its folder, and its version, which stands in package.json and nowhere else. */
import { readFileSync } from "node:fs";

/** Beside `src/` when the sources run, one folder further up when the build does. */
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
/** The OpenAPI document, as it is published. */
export const openApiFile: URL = new URL("openapi/openapi.json", found.folder);
