/**
 * /docs: the reference and the problems, as pages. They answer without a token, since a browser's navigation
 * carries none; the requests that they send need it like any other.
 */
import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { assets } from "../docs/assets.ts";
import type { ApiDocument } from "../docs/document.ts";
import { openApiFile, version } from "../version.ts";
import { noneMatch, weakEtag } from "./etag.ts";

/** Nothing but the gateway's own files may run or be loaded; nothing may frame the page or take a form's content. */
const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-cache",
} as const;

interface File {
  readonly path: string;
  readonly mediaType: string;
  readonly read: () => Promise<Uint8Array>;
}

const files: readonly File[] = [
  {
    ...{ path: "/docs", mediaType: "text/html" },
    // Made from the document when someone asks: it cannot be stale, and a gateway that nobody reads pays nothing.
    async read() {
      const { referencePage } = await import("../docs/reference-page.ts");
      return Buffer.from(referencePage(JSON.parse(await readFile(openApiFile, "utf8")) as ApiDocument));
    },
  },
  {
    ...{ path: "/docs/problems", mediaType: "text/html" },
    async read() {
      const { problemsPage } = await import("../docs/problems-page.ts");
      return Buffer.from(problemsPage(version));
    },
  },
  ...assets.map(({ name, mediaType, file }) => ({
    ...{ path: `/docs/assets/${name}`, mediaType },
    read: () => readFile(file),
  })),
];

/** Where this answers, without a token. */
export const docsPaths: readonly string[] = ["/docs/", ...files.map(({ path }) => path)];

export function registerDocs(app: FastifyInstance): void {
  app.get("/docs/", async (_request, reply) => reply.headers(headers).redirect("/docs", 308));
  for (const { path, mediaType, read } of files) {
    let file: Promise<{ readonly bytes: Uint8Array; readonly etag: string }> | undefined;
    app.get(path, async (request, reply) => {
      file ??= read().then((bytes) => ({ bytes, etag: weakEtag(bytes) }));
      const { bytes, etag } = await file.catch((error: unknown) => {
        // What cannot be read now may be later.
        file = undefined;
        throw error;
      });
      reply.headers({ ...headers, etag });
      if (noneMatch(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply.type(`${mediaType}; charset=utf-8`).send(bytes);
    });
  }
}
