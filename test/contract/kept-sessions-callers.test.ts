/** Kept sessions belong to the caller who began them: nobody else can see, resume or end them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { type Client, type SessionGateway, sessionGateway, token } from "../support/spdy-gateway.ts";

const control = 5;
const operator = `Bearer ${token}`;

interface Made {
  readonly name: string;
  readonly authorization: string;
}

/** A gateway with two callers of its own beside the operator. */
async function callers(t: TestContext) {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  async function ask(authorization: string, method: string, path: string, body?: object) {
    const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, {
      method,
      headers: { authorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { status } = response;
    return { status, body: (await response.json()) as { readonly [name: string]: unknown } };
  }
  async function make(name: string, allow: object = { exec: true }): Promise<Made> {
    const { status, body } = await ask(operator, "POST", "/v1/tokens", { name, grants: { allow } });
    assert.equal(status, 201, JSON.stringify(body));
    return { name, authorization: `Bearer ${body.token}` };
  }
  const open = (authorization: string, path: string): Client =>
    gateway.open(path, { withToken: false, headers: { authorization } });
  async function begin(authorization: string): Promise<{ readonly id: string; readonly client: Client }> {
    const client = open(authorization, `${gateway.container}/exec?command=sh&stdin=true&session=keep`);
    return { id: await idOf(client), client };
  }
  const ids = async (authorization: string): Promise<readonly string[]> => {
    const { body } = await ask(authorization, "GET", "/v1/sessions");
    return (body.sessions as readonly { readonly id: string }[]).map(({ id }) => id);
  };
  const connect = async (authorization: string, id: string): Promise<number> => {
    const { status } = await gateway.refusal(`/v1/sessions/${id}/connect`, { headers: { authorization } });
    return status;
  };
  return { gateway, ask, make, open, begin, ids, connect };
}

async function idOf({ frames }: Client): Promise<string> {
  const first = await eventually(() => frames.find((frame) => frame.channel === control));
  return JSON.parse(first.payload.toString()).session.id;
}

const isGone = (gateway: SessionGateway) => eventually(async () => (await gateway.count()) === 0);

test("to another caller a session does not exist: not in the list, not to resume, not to end", async (t) => {
  const { make, begin, ids, connect, ask } = await callers(t);
  const [alice, bob] = [await make("alice"), await make("bob")];
  const { id, client } = await begin(alice.authorization);
  assert.deepEqual(await ids(alice.authorization), [id]);
  assert.deepEqual(await ids(bob.authorization), []);
  assert.equal(await connect(bob.authorization, id), 404);
  const [ended, absent] = [
    await ask(bob.authorization, "DELETE", `/v1/sessions/${id}`),
    await ask(bob.authorization, "DELETE", `/v1/sessions/${"0".repeat(36)}`),
  ];
  assert.equal(ended.status, 404);
  const plain = ({ detail }: { readonly [name: string]: unknown }): string =>
    String(detail).replace(/"[0-9a-f-]{36}"/, "ID");
  assert.equal(plain(ended.body), plain(absent.body));
  assert.equal(client.socket.readyState, client.socket.OPEN);
});

test("the gateway's own token sees and ends the sessions of all, and resumes only its own", async (t) => {
  const { gateway, make, begin, ids, connect, ask } = await callers(t);
  const alice = await make("alice");
  const { id, client } = await begin(alice.authorization);
  assert.deepEqual(await ids(operator), [id]);
  assert.equal(await connect(operator, id), 404);
  const { status, body } = await ask(operator, "DELETE", `/v1/sessions/${id}`);
  assert.deepEqual([status, body.caller], [200, "alice"]);
  assert.equal((await client.closed).code, 4410);
  await isGone(gateway);
});

test("a session without a client ends with the token of its caller, and so does one with a client", async (t) => {
  const { gateway, make, begin, ask, ids } = await callers(t);
  for (const isConnected of [false, true]) {
    const alice = await make("alice");
    const { client } = await begin(alice.authorization);
    if (!isConnected) client.socket.terminate();
    assert.equal((await ask(operator, "DELETE", "/v1/tokens/alice")).status, 200);
    if (isConnected) assert.equal((await client.closed).code, 4401);
    await isGone(gateway);
    await eventually(() => gateway.streams.connections === 0);
    // Somebody else who has the name now.
    assert.deepEqual(await ids((await make("alice")).authorization), []);
    assert.equal((await ask(operator, "DELETE", "/v1/tokens/alice")).status, 200);
  }
});

test("who resumes needs the grant, and the container must be within its scope", async (t) => {
  const { gateway, make, begin, connect, open } = await callers(t);
  const [scoped, reader] = [
    await make("scoped", { exec: ["default/*"] }),
    await make("reader", { read: ["containers"] }),
  ];
  const { id, client } = await begin(scoped.authorization);
  assert.equal(await connect(reader.authorization, id), 403);
  client.socket.terminate();
  const again = open(scoped.authorization, `/v1/sessions/${id}/connect`);
  assert.equal(await idOf(again), id);
  again.socket.close(1000);
  await isGone(gateway);
});

test("kept sessions count among those of their caller until they have ended", async (t) => {
  const gateway = await sessionGateway(t, { callerLimits: { sessions: 2 } });
  gateway.streams.behaviour = cat;
  const path = `${gateway.container}/exec?command=sh&stdin=true&session=keep`;
  for (let count = 0; count < 2; count++) {
    const client = gateway.open(path);
    await idOf(client);
    client.socket.terminate();
  }
  assert.equal((await gateway.refusal(path)).problem.code, "too_many_sessions");
  assert.equal(await gateway.count(), 2);
});
