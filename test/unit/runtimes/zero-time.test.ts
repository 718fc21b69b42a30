/** Go's zero time, which cri-dockerd writes where other runtimes leave a time out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Runtime } from "../../../src/cri/channel.ts";
import { decodeReply, encodeReply, fieldsOf, readLenient } from "../../../src/cri/codec.ts";
import { comments } from "../../../src/gen/comments.ts";
import { type Methods, methods, type Rpc } from "../../../src/gen/methods.ts";
import { withoutZeroTimes } from "../../../src/runtimes/zero-time.ts";
import { stubRuntime } from "../cri/stub-runtime.ts";

const zero = "-6795364578871345152";

/** The paths from a message to its times, by what their comments say. */
function timePaths(message: string, seen: readonly string[] = []): readonly string[] {
  return fieldsOf(message).flatMap((field) => {
    if (field.kind === "message")
      return seen.includes(field.type)
        ? []
        : timePaths(field.type, [...seen, field.type]).map((path) => `${field.name}.${path}`);
    const isTime =
      field.type === "int64" &&
      /\bepoch\b|nanoseconds since/i.test(comments[`${message}.${field.name}`] ?? "");
    return isTime ? [field.name] : [];
  });
}

/** A message with `value` at the end of a path, with one item in each list on the way. */
function messageWith(message: string, path: string, value: string): object {
  const [head = "", ...rest] = path.split(".");
  const field = fieldsOf(message).find(({ name }) => name === head);
  assert.ok(field, path);
  const inside = rest.length === 0 ? value : messageWith(field.type, rest.join("."), value);
  return { [head]: field.repeated ? [inside] : inside };
}

function valueAt(message: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((at, key) => {
    const value = (at as { readonly [key: string]: unknown })[key];
    return Array.isArray(value) ? value[0] : value;
  }, message);
}

/** What comes through of a reply, by a call or by a stream. */
async function through<R extends Rpc>(rpc: R, reply: object): Promise<Methods[R]["response"]> {
  const wire = encodeReply(rpc, readLenient(methods[rpc].response, reply) as Methods[R]["response"]);
  const source: Runtime = {
    ...stubRuntime({}),
    call: async () => Buffer.from(wire),
    async *stream() {
      yield Buffer.from(wire);
    },
  };
  const runtime = withoutZeroTimes(source);
  if (!methods[rpc].stream) return decodeReply(rpc, await runtime.call(rpc, Buffer.alloc(0)));
  for await (const message of runtime.stream(rpc, Buffer.alloc(0))) return decodeReply(rpc, message);
  assert.fail("the stream has no message");
}

test("withoutZeroTimes() answers 0 for every time of every reply and of every stream", async () => {
  let times = 0;
  for (const rpc of Object.keys(methods) as Rpc[]) {
    const message = methods[rpc].response;
    for (const path of timePaths(message)) {
      times++;
      assert.equal(
        valueAt(await through(rpc, messageWith(message, path, zero)), path),
        "0",
        `${rpc} ${path}`,
      );
      const real = "1795453639524523756";
      assert.equal(valueAt(await through(rpc, messageWith(message, path, real)), path), real);
    }
  }
  assert.ok(times > 50, `${times}`);
});

test("withoutZeroTimes() leaves other numbers alone, and times beside", async () => {
  const rpc = "RuntimeService/ContainerStatus";
  for (const near of ["-6795364578871345151", "-6795364578871345153", "-1", "9223372036854775807"]) {
    const { status } = await through(rpc, { status: { createdAt: "5", startedAt: near, finishedAt: zero } });
    assert.deepEqual([status?.createdAt, status?.startedAt, status?.finishedAt], ["5", near, "0"]);
  }
  const resources = { linux: { cpuQuota: zero } };
  const { status } = await through(rpc, { status: { resources } });
  assert.equal(status?.resources?.linux?.cpuQuota, zero);
});

test("withoutZeroTimes() does not search a reply of arbitrary bytes", async () => {
  const stdout = Buffer.from("288080e8e8b3fd80d9a101", "hex").toString("base64");
  assert.equal((await through("RuntimeService/ExecSync", { stdout })).stdout, stdout);
});

test("no text can hold the bytes of such a time", () => {
  const time = Buffer.from("288080e8e8b3fd80d9a101", "hex");
  assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(time));
  for (let before = 0; before < 0x80; before++) {
    const text = Buffer.concat([Buffer.from([before]), time.subarray(1)]);
    assert.throws(() => new TextDecoder("utf-8", { fatal: true }).decode(text));
  }
});
