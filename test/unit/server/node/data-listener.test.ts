import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { interceptData } from "../../../../src/server/node/data-listener.ts";

test("interceptData() stands between a connection and its reader", (t) => {
  const connection = new Socket();
  t.after(() => connection.destroy());
  const read: string[] = [];
  connection.on("data", function (this: Socket, chunk: Buffer) {
    assert.equal(this, connection);
    read.push(chunk.toString());
  });
  interceptData(connection, (chunk, receive) => {
    for (const letter of chunk.toString()) receive(Buffer.from(letter));
  });
  connection.emit("data", Buffer.from("ab"));
  connection.emit("data", Buffer.from("c"));
  assert.deepEqual(read, ["a", "b", "c"]);
});

test("interceptData() refuses a connection without a reader", (t) => {
  const connection = new Socket();
  t.after(() => connection.destroy());
  assert.throws(() => interceptData(connection, () => undefined), TypeError);
});
