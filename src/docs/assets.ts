/** The files that the pages load. A fixed list, so that no other file in the folder can be requested. */
import { openApiFile } from "../version.ts";

export interface Asset {
  readonly name: string;
  readonly file: URL;
  readonly mediaType: "text/css" | "text/javascript";
}

/** Located in the package's sources, wherever the code runs from: browsers use these files unchanged. */
const folder = new URL("../src/docs/assets/", openApiFile);

const names = [
  "theme.css",
  "layout.css",
  "reference.css",
  "theme.js",
  "navigation.js",
  "match.js",
  "reference.js",
  "schema-trees.js",
  "request-lines.js",
  "request.js",
  "token.js",
  "try-it.js",
  "answer.js",
  "live.js",
  "stream-items.js",
  "element.js",
] as const;

export const assets: readonly Asset[] = names.map((name) => ({
  name,
  file: new URL(name, folder),
  mediaType: name.endsWith(".css") ? "text/css" : "text/javascript",
}));
