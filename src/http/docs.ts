/**
 * /docs: the reference and the problems, as pages. They answer without a token, since a browser's navigation
 * carries none; the requests that they send need it like any other.
 */
import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { assets } from "../docs/assets.ts";
import type { ApiDocument } from "../docs/document.ts";
import { type Load, type OwnFile, registerFile } from "../server/static-file.ts";
import { openApiFile, version } from "../version.ts";

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

const files: readonly Omit<OwnFile, "headers">[] = [
  {
    ...{ path: "/docs/problems", type: "text/html; charset=utf-8" },
    async read() {
      const { problemsPage } = await import("../docs/problems-page.ts");
      return Buffer.from(problemsPage(version));
    },
  },
  ...assets.map(({ name, mediaType, file }) => ({
    ...{ path: `/docs/assets/${name}`, type: `${mediaType}; charset=utf-8` },
    read: () => readFile(file),
  })),
];

const referencePath = "/docs";

/** Where this answers, without a token. */
export const docsPaths: readonly string[] = ["/docs/", referencePath, ...files.map(({ path }) => path)];

/** Made from the document that is served, so that the two cannot differ. */
async function readReference(tokenFile: string): Promise<Buffer> {
  const { referencePage } = await import("../docs/reference-page.ts");
  const document = JSON.parse(await readFile(openApiFile, "utf8")) as ApiDocument;
  return Buffer.from(referencePage(document, tokenFile));
}

/** `tokenFile`: what the curl lines read the token from, as strangers may know it. */
export function registerDocs(app: FastifyInstance, tokenFile: string): readonly Load[] {
  app.get("/docs/", async (_request, reply) => reply.headers(headers).redirect("/docs", 308));
  const reference = {
    path: referencePath,
    type: "text/html; charset=utf-8",
    read: () => readReference(tokenFile),
  };
  return [reference, ...files].map((file) => registerFile(app, { ...file, headers }));
}
