/** The published documents, as the bytes that are in the package. */
import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { openApiFile } from "../version.ts";
import { noneMatch, weakEtag } from "./etag.ts";

export function registerDocuments(app: FastifyInstance): void {
  let document: Promise<{ readonly bytes: Buffer; readonly etag: string }> | undefined;
  app.get("/openapi.json", async (request, reply) => {
    // Few ask; who does, asks again.
    document ??= readFile(openApiFile).then((bytes) => ({ bytes, etag: weakEtag(bytes) }));
    const { bytes, etag } = await document;
    reply.header("etag", etag).header("cache-control", "no-cache");
    if (noneMatch(request.headers["if-none-match"], etag)) return reply.code(304).send();
    return reply.type("application/json").send(bytes);
  });
}
