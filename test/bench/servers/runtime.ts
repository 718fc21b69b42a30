/**
 * A runtime that only answers, with bytes that were made before: gRPC by hand on node:http2, so that it
 * takes little of what is measured. Filters and ids are not looked at.
 *
 * Arguments: the socket to listen on.
 */
import { createServer, type ServerHttp2Stream } from "node:http2";
import { criSchema, encodeMessage } from "../../support/fake-runtime/schema.ts";
import { containerStatus, containers, idOf } from "../population.ts";
import { answer } from "../process/control.ts";

const [, , socket] = process.argv;
const grpcUnimplemented = "12";

/** A reply with gRPC's five bytes before it: not compressed, and its length. */
function frame(message: string, draft: object): Buffer {
  const bytes = encodeMessage(criSchema().message(message), draft);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

const listOf = (count: number): Buffer => frame("ListContainersResponse", { containers: containers(count) });

const answers = new Map([
  ["Version", frame("VersionResponse", { version: "0.1.0", runtimeName: "bench", runtimeVersion: "1" })],
  ["ContainerStatus", frame("ContainerStatusResponse", { status: containerStatus() })],
  ["ListContainers", listOf(1)],
  ["Status", frame("StatusResponse", {})],
  ["RuntimeConfig", frame("RuntimeConfigResponse", { linux: { cgroupDriver: "CGROUPFS" } })],
  ["ListPodSandbox", frame("ListPodSandboxResponse", {})],
  ["RunPodSandbox", frame("RunPodSandboxResponse", { podSandboxId: idOf("made", 0) })],
  ["UpdateContainerResources", frame("UpdateContainerResourcesResponse", {})],
  ["ExecSync", frame("ExecSyncResponse", { stdout: Buffer.from("done\n").toString("base64") })],
]);

function reply(stream: ServerHttp2Stream, path: string): void {
  if (stream.destroyed) return;
  const bytes = answers.get(path.slice(path.lastIndexOf("/") + 1));
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (bytes === undefined) {
    stream.respond({ ...head, "grpc-status": grpcUnimplemented }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(bytes);
}

// In megabytes; beyond the default of 10 streams are refused, and 32 lists of 1,000 are 30.
const server = createServer({ maxSessionMemory: 4096 });
server.on("stream", (stream, headers) => {
  stream.on("error", () => undefined);
  stream.on("end", () => reply(stream, String(headers[":path"])));
  stream.resume();
});
server.listen(socket);

answer("hold", (count) => {
  answers.set("ListContainers", listOf(count));
  return undefined;
});
