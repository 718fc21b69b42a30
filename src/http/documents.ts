/** Serves the published documents, byte for byte as packaged. */
import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { type Load, registerFile } from "../server/static-file.ts";
import { openApiFile } from "../version.ts";

export function registerDocuments(app: FastifyInstance): readonly Load[] {
  const load = registerFile(app, {
    ...{ path: "/openapi.json", type: "application/json", headers: { "cache-control": "no-cache" } },
    read: () => readFile(openApiFile),
  });
  return [load];
}
