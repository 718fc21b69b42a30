/** Every layer over a runtime, applied to a list and to its stream. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { adapt } from "../../src/app.ts";
import type { Runtime } from "../../src/cri/channel.ts";
import { decodeReply, encodeReply, encodeRequest, fieldsOf } from "../../src/cri/codec.ts";
import { fromStatus } from "../../src/cri/status.ts";
import { GatewayError } from "../../src/errors.ts";
import { type Methods, methods, type Rpc } from "../../src/gen/methods.ts";
import type { ListRoute } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { fullMessage } from "../contract/table-messages.ts";
import { serviceError, stubRuntime } from "./cri/stub-runtime.ts";

/** Go's zero time in nanoseconds, as cri-dockerd writes it. */
const zeroTime = "-6795364578871345152";
const times = new Set(["createdAt", "startedAt", "finishedAt", "timestamp"]);

const pairs = routes.flatMap((route) =>
  route.kind === "list" && route.stream !== undefined ? [[route, route.stream] as const] : [],
);

/** The one item, which has every field set, zero times, and more CPU time at each reading. */
function itemOf(message: string, reading: number): unknown {
  return JSON.parse(JSON.stringify(fullMessage(message)), (key, value) => {
    if (key === "usageCoreNanoSeconds") return { value: String(reading * 1_000_000) };
    if (key === "usageNanoCores") return undefined;
    if (key === "timestamp") return String(reading * 1_000_000_000);
    return times.has(key) ? zeroTime : value;
  });
}

const fieldOf = (rpc: Rpc): { readonly name: string; readonly type: string } => {
  const field = fieldsOf(methods[rpc].response).find(({ repeated }) => repeated);
  if (field === undefined) throw new Error(`${rpc} has no items`);
  return field;
};

/** A runtime that gives the readings one after the other, in either form. */
function reading(): Runtime {
  let readings = 0;
  const reply = (rpc: Rpc): Buffer => {
    const { name, type } = fieldOf(rpc);
    return encodeReply(rpc, { [name]: [itemOf(type, ++readings)] } as unknown as Methods[Rpc]["response"]);
  };
  const stub = stubRuntime({
    "RuntimeService/Version": () => ({ runtimeName: "docker", runtimeVersion: "1.0" }),
  });
  return {
    ...stub,
    call: (rpc, request, options) =>
      rpc === "RuntimeService/Version" ? stub.call(rpc, request, options) : Promise.resolve(reply(rpc)),
    async *stream(rpc) {
      yield reply(rpc);
    },
  };
}

const itemsOf = (rpc: Rpc, wire: Buffer): unknown =>
  (decodeReply(rpc, wire) as unknown as { readonly [field: string]: unknown })[fieldOf(rpc).name];

async function byCall(runtime: Runtime, { rpc }: ListRoute): Promise<unknown> {
  return itemsOf(rpc, await runtime.call(rpc, encodeRequest(rpc, {})));
}

async function byStream(runtime: Runtime, rpc: Rpc): Promise<unknown> {
  for await (const message of runtime.stream(rpc, encodeRequest(rpc, {}))) return itemsOf(rpc, message);
  return undefined;
}

for (const [route, stream] of pairs) {
  test(`adapt() gives ${stream} the items of ${route.rpc}, at the first reading and at the second`, async () => {
    const called = adapt(reading()).runtime;
    const streamed = adapt(reading()).runtime;
    for (let time = 1; time <= 2; time++) {
      const items = await byCall(called, route);
      assert.deepEqual(await byStream(streamed, stream), items);
      assert.ok(!JSON.stringify(items).includes(zeroTime), "a zero time");
      const isRated = JSON.stringify(items).includes("usageNanoCores");
      assert.equal(isRated, route.id.endsWith("Stats") && time === 2, "the CPU rate");
    }
  });

  test(`adapt() explains a failure of ${stream} as that of ${route.rpc}`, async () => {
    const stub = stubRuntime({
      "RuntimeService/Version": () => ({ runtimeName: "docker", runtimeVersion: "1.0" }),
    });
    const { runtime } = adapt({
      ...stub,
      async *stream(rpc) {
        yield* [];
        throw fromStatus(rpc, serviceError(status.UNIMPLEMENTED, "unknown method"));
      },
    });
    const failures = await Promise.all(
      [byCall(runtime, route), byStream(runtime, stream)].map((asked) =>
        asked.catch((error: unknown) => error),
      ),
    );
    for (const failure of failures) {
      assert.ok(failure instanceof GatewayError);
      assert.match(failure.message, /^\w+ is not implemented by docker 1\.0: unknown method/);
    }
  });
}
