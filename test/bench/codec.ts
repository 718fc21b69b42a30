/** Between wire and JSON, in this process: Crest's codec, @grpc/proto-loader and protobuf-es. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { fromBinary, fromJson, type JsonValue, toBinary, toJsonString } from "@bufbuild/protobuf";
import { loadSync, type ServiceDefinition } from "@grpc/proto-loader";
import { encodeRequest, writeReply } from "../../src/cri/codec.ts";
import { createBufferPool } from "../../src/wire/buffer-pool.ts";
import { parseJson } from "../../src/wire/parse-json.ts";
import { criSchema, decodeMessage, encodeMessage, toProtoJson } from "../support/fake-runtime/schema.ts";
import { repositoryRoot } from "../support/repository.ts";
import type { Benchmark } from "./bench.ts";
import { containers, creation } from "./population.ts";
import { ratio, spread } from "./report/statistics.ts";
import { number, range, table } from "./report/table.ts";
import { inTurn } from "./rounds.ts";
import { loaderOptions } from "./servers/proto-loader.ts";

interface Codec {
  readonly name: string;
  /** Does it once and answers the number of bytes (or characters) that came out. */
  run(): number;
}

/** What the others are held against: it stands first. */
const baseline = "proto-loader";

export const codec: Benchmark = async ({ plan, print }) => {
  const definition = loadSync(join(repositoryRoot(), "proto/runtime/v1/api.proto"), loaderOptions);
  const service = definition["runtime.v1.RuntimeService"] as ServiceDefinition;
  for (const count of [1, 100, 1000]) {
    const { codecs, bytes } = writing(service, count);
    const title = `codec: wire -> JSON, ListContainers of ${count} (${bytes} bytes of JSON)`;
    print(await compare(title, codecs, bytes, plan));
  }
  const { codecs, bytes } = reading(service);
  print(await compare(`codec: JSON -> wire, CreateContainer (${bytes} bytes of JSON)`, codecs, bytes, plan));
};

function writing(service: ServiceDefinition, count: number): { codecs: Codec[]; bytes: number } {
  const schema = criSchema().message("ListContainersResponse");
  const wire = Buffer.from(encodeMessage(schema, { containers: containers(count) }));
  const pool = createBufferPool();
  const method = service.ListContainers;
  if (method === undefined) throw new Error("Cannot find ListContainers in the definition");
  const loader = (): string => JSON.stringify(method.responseDeserialize(wire));
  const es = (): string => toJsonString(schema, fromBinary(schema, wire), { alwaysEmitImplicit: true });
  const crest = <R>(use: (text: Buffer) => R): R => {
    const { bytes, release } = writeReply("RuntimeService/ListContainers", wire, pool);
    const result = use(bytes);
    release();
    return result;
  };
  const text = crest((bytes) => bytes.toString());
  assert.deepEqual(JSON.parse(text), JSON.parse(loader()));
  assert.deepEqual(JSON.parse(text), JSON.parse(es()));
  return {
    bytes: text.length,
    codecs: [
      { name: baseline, run: () => loader().length },
      { name: "protobuf-es", run: () => es().length },
      { name: "crest", run: () => crest((bytes) => bytes.length) },
    ],
  };
}

function reading(service: ServiceDefinition): { codecs: Codec[]; bytes: number } {
  const schema = criSchema().message("CreateContainerRequest");
  const bodyOf = (env: (text: string) => string): Buffer =>
    Buffer.from(JSON.stringify(toProtoJson(creation(env))));
  const body = bodyOf((text) => text);
  const protoBody = bodyOf((text) => Buffer.from(text).toString("base64"));
  const method = service.CreateContainer;
  if (method === undefined) throw new Error("Cannot find CreateContainer in the definition");
  const parse = (): JsonValue => JSON.parse(protoBody.toString()) as JsonValue;
  const loader = (): Uint8Array => method.requestSerialize(parse() as object);
  const es = (): Uint8Array => toBinary(schema, fromJson(schema, parse()));
  const crest = (): Buffer => encodeRequest("RuntimeService/CreateContainer", parseJson(body) as object);
  assert.deepEqual(decodeMessage(schema, crest()), decodeMessage(schema, es()));
  assert.deepEqual(decodeMessage(schema, crest()), decodeMessage(schema, loader()));
  return {
    bytes: body.length,
    codecs: [
      { name: baseline, run: () => loader().length },
      { name: "protobuf-es", run: () => es().length },
      { name: "crest", run: () => crest().length },
    ],
  };
}

async function compare(
  title: string,
  codecs: readonly Codec[],
  bytes: number,
  { rounds, codecMs }: { readonly rounds: number; readonly codecMs: number },
): Promise<string> {
  const results = await inTurn(codecs, { rounds, turnMs: codecMs }, async ({ run }) => {
    // Signals are heard in between.
    await setImmediate();
    return timesPerMs(run, codecMs);
  });
  const [first] = codecs;
  const base = (first && results.get(first)) ?? [];
  const rows = codecs.map((one) => {
    const times = results.get(one) ?? [];
    const { median } = spread(times);
    return [one.name, number(1000 / median), number((median * bytes) / 1000), range(ratio(times, base))];
  });
  return `${title}\n${table(["", "µs", "MB/s of JSON", `times ${baseline}`], rows)}`;
}

/** How often `run` is done in a millisecond, measured for about `durationMs`. */
function timesPerMs(run: () => number, durationMs: number): number {
  let done = 0;
  let batch = 1;
  let output = 0;
  const begin = performance.now();
  for (;;) {
    for (let i = 0; i < batch; i++) output += run();
    done += batch;
    const elapsedMs = performance.now() - begin;
    if (elapsedMs >= durationMs && output > 0) return done / elapsedMs;
    // The clock is looked at a hundred times or so.
    if (elapsedMs < durationMs / 100) batch *= 2;
  }
}
