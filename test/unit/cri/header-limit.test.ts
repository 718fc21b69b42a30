import assert from "node:assert/strict";
import { createServer } from "node:http2";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { connect } from "../../../src/cri/channel.ts";
import { maxErrorTextBytes } from "../../../src/cri/header-limit.ts";
import { eventually } from "../../support/eventually.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** A server that notes what each connection announces before its first call is answered. */
async function announcements(t: TestContext): Promise<{ socket: string; announced: (number | undefined)[] }> {
  const socket = join(await tempDir(t), "runtime.sock");
  const announced: (number | undefined)[] = [];
  const server = createServer();
  server.on("stream", (stream) => {
    announced.push(stream.session?.remoteSettings.maxHeaderListSize);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "12" }));
    stream.end();
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.close());
  return { socket, announced };
}

const bytes = (value: Uint8Array): Buffer => Buffer.from(value);

test("connect() announces its limit of trailers, on its own connections only", async (t) => {
  const { socket, announced } = await announcements(t);
  const runtime = connect({ runtimeEndpoint: socket });
  // The same target and options as another part of the program could use.
  const other = new Client(`unix:${socket}`, credentials.createInsecure());
  t.after(() => {
    runtime.close();
    other.close();
  });
  const empty = new Uint8Array();
  await runtime.call("RuntimeService/Version", empty).catch(() => undefined);
  other.makeUnaryRequest("/x/y", bytes, bytes, empty, new Metadata(), () => undefined);
  await eventually(() => announced.length === 2);
  assert.equal(announced[0], maxErrorTextBytes);
  assert.notEqual(announced[1], maxErrorTextBytes);
});
