import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NotServedError, probe } from "../../../src/embedded/probe.ts";

const folder = mkdtempSync(join(tmpdir(), "crest-probe-"));
after(() => rmSync(folder, { recursive: true }));

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** Probes a gRPC server on a Unix socket that answers every call by `handler`. */
async function probeServer(name: string, handler: Handler): Promise<Buffer> {
  const server = createServer().on("stream", handler);
  const socket = join(folder, name);
  await once(server.listen(socket), "listening");
  try {
    return await probe(socket, "ImageService/ListImages");
  } finally {
    server.close();
  }
}

test("probe() sends one empty message and answers what comes back", async () => {
  const sent: Buffer[] = [];
  const answer = await probeServer("ok", (stream, headers) => {
    assert.equal(headers[":path"], "/runtime.v1.ImageService/ListImages");
    stream.on("data", (chunk: Buffer) => sent.push(chunk));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.from("answer"));
    });
  });
  assert.equal(answer.toString(), "answer");
  assert.deepEqual(Buffer.concat(sent), Buffer.alloc(5));
});

test("probe() tells a service that is not there from one that is not ready", async () => {
  const refuse = (status: string, message: string) => (stream: ServerHttp2Stream) =>
    stream.respond({ ":status": 200, "grpc-status": status, "grpc-message": message }, { endStream: true });
  await assert.rejects(probeServer("none", refuse("12", "unknown service")), NotServedError);
  await assert.rejects(probeServer("early", refuse("14", "not yet")), /^Error: gRPC status 14: not yet$/);
});

test("probe() fails when nobody listens", async () => {
  await assert.rejects(probe(join(folder, "absent"), "RuntimeService/ListPodSandbox"), /ENOENT/);
});
