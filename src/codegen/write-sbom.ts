/** `node dist/src/codegen/write-sbom.js` writes sbom.cdx.json, for the npm package and the image. */
import { writeFileSync } from "node:fs";
import { makeSbom } from "./sbom.ts";

writeFileSync("sbom.cdx.json", makeSbom(process.cwd()));
