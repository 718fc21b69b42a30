/**
 * /docs: the API reference and the list of problems. The pages need no token, because browser navigation carries none;
 * the API requests that they send do.
 */
import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { assets } from "../docs/assets.ts";
import type { ApiDocument } from "../docs/document.ts";
import { type Load, type OwnFile, registerFile } from "../server/static-file.ts";
import { openApiFile, version } from "../version.ts";

/**
 * Only the gateway's own files may load or run, nothing may frame the pages, and forms cannot be submitted anywhere.
 */
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

/** The paths served here. They need no token. */
export const docsPaths: readonly string[] = ["/docs/", referencePath, ...files.map(({ path }) => path)];

/** Built from the published document, so that the two cannot differ. Most gateways are never asked for it. */
async function readReference(tokenFile: string): Promise<() => Uint8Array> {
  const { referencePage } = await import("../docs/reference-page.ts");
  const document = await readFile(openApiFile);
  return () => Buffer.from(referencePage(JSON.parse(document.toString()) as ApiDocument, tokenFile));
}

/**
 * `tokenFile`: the shell word for the token file in curl examples, which anyone can read: see `Config.tokenFileHint`.
 */
export function registerDocs(app: FastifyInstance, tokenFile: string): readonly Load[] {
  app.get("/docs/", async (_request, reply) => reply.headers(headers).redirect("/docs", 308));
  const reference = {
    path: referencePath,
    type: "text/html; charset=utf-8",
    read: () => readReference(tokenFile),
  };
  return [reference, ...files].map((file) => registerFile(app, { ...file, headers }));
}
