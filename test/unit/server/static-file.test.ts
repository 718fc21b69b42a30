import assert from "node:assert/strict";
import { test } from "node:test";
import Fastify from "fastify";
import { registerFile } from "../../../src/server/static-file.ts";

test("a file that cannot be read is read again by the next who asks, and then kept", async (t) => {
  const app = Fastify();
  t.after(() => app.close());
  let reads = 0;
  registerFile(app, {
    ...{ path: "/file", type: "text/plain", headers: { "cache-control": "no-cache" } },
    read: async () => {
      reads++;
      if (reads === 1) throw new Error("EMFILE: too many open files");
      return Buffer.from("text");
    },
  });
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) statuses.push((await app.inject("/file")).statusCode);
  assert.deepEqual([statuses, reads], [[500, 200, 200], 2]);
});

test("a file that is made from what was read is made once, for the first who asks", async (t) => {
  const app = Fastify();
  t.after(() => app.close());
  const made: string[] = [];
  const load = registerFile(app, {
    ...{ path: "/page", type: "text/html", headers: {} },
    read: async () => () => {
      made.push("page");
      return Buffer.from("page");
    },
  });
  await load();
  assert.deepEqual(made, []);
  for (let i = 0; i < 2; i++) assert.equal((await app.inject("/page")).body, "page");
  assert.deepEqual(made, ["page"]);
});
