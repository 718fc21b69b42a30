/** Several callers, each with a token of its own: what they may make, see and revoke, and how it ends. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../../src/access/callers/token-store.ts";
import { eventually } from "../support/eventually.ts";
import { held } from "../support/fake-runtime.ts";
import { cat } from "../support/spdy-behaviours.ts";
import { sessionGateway } from "../support/spdy-gateway.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";

interface Made {
  readonly name: string;
  readonly token: string;
  readonly expires: string;
  readonly parent?: string;
}

const as = (token: string) => ({ authorization: `Bearer ${token}` });

/** A token that the caller with the token `by` makes; by default the operator. */
async function make({ ask }: LiveGateway, body: object, by?: string): Promise<Made> {
  const answer = await ask("POST /v1/tokens", body, by === undefined ? {} : as(by));
  assert.equal(answer.status, 201, answer.text);
  return JSON.parse(answer.text);
}

const namesIn = (answer: Answer): readonly string[] =>
  (answer.at("tokens") as readonly Made[]).map(({ name }) => name);

test("a caller hands on less than it may do, and what it hands on is refused by name", async (t) => {
  const gateway = await liveGateway(t);
  const { ask, fake } = gateway;
  const { id } = fake.addContainer({ state: "running" });
  const boss = await make(gateway, { name: "boss", grants: { allow: { read: true, stop: true } } });
  const colleague = await make(
    gateway,
    { name: "colleague", grants: { all: true, deny: { read: ["images"] } }, for: "10m" },
    boss.token,
  );
  assert.equal(colleague.parent, "boss");
  assert.equal((await ask(`GET /v1/containers/${id}`, undefined, as(colleague.token))).status, 200);
  const images = await ask("GET /v1/images", undefined, as(colleague.token));
  assert.equal(images.status, 403);
  assert.match(String(images.at("detail")), /use a token made without --deny-read=images/);
  const exec = await ask(`POST /v1/containers/${id}/exec`, { cmd: ["id"] }, as(colleague.token));
  assert.match(String(exec.at("detail")), /use a token made with --allow-exec/);
  assert.ok(!/run again/.test(exec.text.replace(/, and run again[^"]*if Crest did not create the pod/, "")));
});

test("a token expires with the one that it was made with, and after one hour if nothing is said", async (t) => {
  const gateway = await liveGateway(t);
  const grants = { all: true };
  const before = Date.now();
  const usual = await make(gateway, { name: "usual", grants });
  const validMs = Date.parse(usual.expires) - before;
  assert.ok(validMs >= 3_600_000 && validMs < 3_700_000);
  const short = await make(gateway, { name: "short", grants, for: "2m" });
  const below = await make(gateway, { name: "below", grants }, short.token);
  assert.equal(below.expires, short.expires);
  const longer = await gateway.ask("POST /v1/tokens", { name: "longer", grants, for: "3m" }, as(short.token));
  assert.equal(longer.status, 400);
  assert.match(longer.text, /must not be after your own token expires/);
});

test("callers see and revoke what they made, and nothing else", async (t) => {
  const gateway = await liveGateway(t);
  const { ask } = gateway;
  const grants = { all: true };
  const a = await make(gateway, { name: "a", grants });
  const b = await make(gateway, { name: "b", grants });
  const ab = await make(gateway, { name: "a.b", grants }, a.token);
  const abc = await make(gateway, { name: "a.b.c", grants }, ab.token);
  assert.deepEqual(namesIn(await ask("GET /v1/tokens")), ["a", "b", "a.b", "a.b.c"]);
  assert.deepEqual(namesIn(await ask("GET /v1/tokens", undefined, as(a.token))), ["a.b", "a.b.c"]);
  assert.deepEqual(namesIn(await ask("GET /v1/tokens", undefined, as(b.token))), []);
  for (const name of ["a", "a.b", "b", "absent"]) {
    const refused = await ask(`DELETE /v1/tokens/${name}`, undefined, as(b.token));
    assert.equal(refused.status, 404, name);
  }
  const revoked = await ask("DELETE /v1/tokens/a.b", undefined, as(a.token));
  assert.deepEqual(revoked.at("revoked"), ["a.b", "a.b.c"]);
  for (const { token } of [ab, abc])
    assert.equal((await ask("GET /v1/grants", undefined, as(token))).status, 401);
  for (const { token } of [a, b])
    assert.equal((await ask("GET /v1/grants", undefined, as(token))).status, 200);
});

test("no listing, file, log or error has a token", async (t) => {
  const gateway = await liveGateway(t);
  const { ask, dataDir, requests, logged } = gateway;
  const { token } = await make(gateway, { name: "ci", grants: { allow: { read: true } } });
  const texts = [
    (await ask("GET /v1/tokens")).text,
    (await ask("GET /v1/grants", undefined, as(token))).text,
    (await ask("POST /v1/tokens", { name: "ci", grants: {} }, as(token))).text,
    (await ask("GET /v1/images/x?verbose=true", undefined, as(token))).text,
    await readFile(join(dataDir, "tokens.json"), "utf8"),
    JSON.stringify([requests, logged]),
  ];
  for (const text of texts) assert.ok(!text.includes(token.slice(10)), text);
  assert.ok(requests.some(({ caller }) => caller === "ci"));
  assert.match(texts[4] ?? "", new RegExp(sha256(token)));
});

test("a request for a token that is wrong is 400 with the place of the mistake, and a taken name is 409", async (t) => {
  const { ask } = await liveGateway(t);
  const grants = { allow: { exec: true } };
  for (const [body, pointer] of [
    [{ grants }, "/name"],
    [{ name: "a/b", grants }, "/name"],
    [{ name: "a=b", grants }, "/name"],
    [{ name: "token", grants }, "/name"],
    [{ name: "x".repeat(64), grants }, "/name"],
    [{ name: "x" }, "/grants"],
    [{ name: "x", grants: { allow: { exce: true } } }, "/grants/allow/exce"],
    [{ name: "x", grants: { allow: { read: ["podz"] } } }, "/grants/allow/read"],
    [{ name: "x", grants: ["--allow-exec"] }, "/grants"],
    [{ name: "x", grants, for: "soon" }, "/for"],
    [{ name: "x", grants, for: "0" }, "/for"],
    [{ name: "x", grants, for: "1h", expires: "2099-01-01T00:00:00Z" }, "/for"],
    [{ name: "x", grants, expires: "2020-01-01T00:00:00Z" }, "/expires"],
    [{ name: "x", grants, parent: "boss" }, "/parent"],
    [{ name: "x", grants: { allow: { exec: "x".repeat(65_536) } } }, "/grants/allow/exec"],
  ] as const) {
    const answer = await ask("POST /v1/tokens", body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.at("errors.0.pointer"), pointer, answer.text);
    assert.ok(answer.text.length < 2000);
  }
  assert.equal((await ask("POST /v1/tokens", { name: "x", grants })).status, 201);
  const taken = await ask("POST /v1/tokens", { name: "x", grants });
  assert.equal(taken.status, 409);
  assert.equal(taken.at("code"), "conflict");
});

test("a tokens file that cannot be changed is 503, names no path, and keeps everyone", async (t) => {
  const gateway = await liveGateway(t);
  const { ask, dataDir, logged } = gateway;
  const { token } = await make(gateway, { name: "ci", grants: { all: true } });
  await writeFile(join(dataDir, "tokens.json"), "{");
  const answer = await ask("POST /v1/tokens", { name: "more", grants: { all: true } }, as(token));
  assert.equal(answer.status, 503);
  assert.equal(answer.at("code"), "tokens_file_unavailable");
  assert.ok(!answer.text.includes(dataDir));
  assert.equal((await ask("GET /v1/grants", undefined, as(token))).status, 200);
  await eventually(() => logged.some(({ message }) => /Keeping the callers as they were/.test(message)));
  // Which is meant to be reported.
  assert.ok(logged.every(({ level, message }) => level !== "error" || /Keeping the callers/.test(message)));
});

test("a session ends with 4401 and the reason when its token is revoked, and others stay", async (t) => {
  const gateway = await sessionGateway(t);
  gateway.streams.behaviour = cat;
  const file = join(gateway.dataDir, "tokens.json");
  const entry = (name: string) => ({
    name,
    sha256: sha256(`crest_${name}`),
    grants: { allow: { exec: true } },
  });
  await writeFile(file, JSON.stringify({ tokens: [entry("gone"), entry("kept")] }), { mode: 0o600 });
  const open = (name: string) =>
    gateway.open(`${gateway.container}/exec?command=cat&stdin=true`, { headers: as(`crest_${name}`) });
  const [gone, kept] = [open("gone"), open("kept")];
  await Promise.all([gone.opened, kept.opened]);
  await writeFile(file, JSON.stringify({ tokens: [entry("kept")] }), { mode: 0o600 });
  assert.deepEqual(await gone.closed, { code: 4401, reason: 'The token "gone" was revoked or changed' });
  await kept.send(0, "still here");
  await eventually(() => kept.text(1) === "still here");
  kept.socket.close();
  await kept.closed;
});

test("a stream ends with the problem when its token expires", async (t) => {
  const gateway = await liveGateway(t);
  const { token, expires } = await make(gateway, {
    name: "brief",
    grants: { allow: { read: true } },
    expires: new Date(Date.now() + 1500).toISOString(),
  });
  const stream = await fetch(`http://127.0.0.1:${gateway.port}/v1/events?watch=true`, {
    headers: { ...as(token), accept: "application/x-ndjson" },
  });
  const { error } = JSON.parse((await stream.text()).trim().split("\n").at(-1) ?? "");
  assert.equal(error.code, "unauthenticated");
  assert.equal(error.detail, `The token "brief" expired at ${expires}`);
  const later = await gateway.ask("GET /v1/grants", undefined, as(token));
  assert.equal(later.status, 401);
  assert.equal(later.at("detail"), `The token "brief" expired at ${expires}`);
});

test("an answer that is under way is cut off when its token is revoked, and the runtime's call is cancelled", async (t) => {
  const gateway = await liveGateway(t);
  const { fake, port } = gateway;
  const { token } = await make(gateway, { name: "slow", grants: { all: true } });
  const { id } = fake.addContainer({ state: "running" });
  const hold = held();
  fake.on("RuntimeService/ExecSync", hold.answer);
  const cut = new Promise<string>((resolve) => {
    const sent = request({
      ...{ host: "127.0.0.1", port, method: "POST", path: `/v1/containers/${id}/exec` },
      headers: { ...as(token), "content-type": "application/json" },
    });
    sent.on("response", () => resolve("answered"));
    sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    sent.end('{"cmd":["sleep","100"]}');
  });
  await hold.arrived;
  assert.equal((await gateway.ask("DELETE /v1/tokens/slow")).status, 200);
  assert.equal(await cut, "ECONNRESET");
  hold.release();
});

test("a caller is told what all of its layers allow, and until when", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1", {
    grants: {
      all: false,
      allow: { read: true, exec: ["demo/*"], pull: ["docker.io"], host: ["port:80", "network"] },
      deny: { pull: ["docker.io/evil"] },
    },
  });
  const grantsOf = async (headers = {}): Promise<unknown> =>
    (await gateway.ask("GET /v1/grants", undefined, headers)).at("grants");
  assert.deepEqual(
    ((await grantsOf()) as object[]).filter((one) => !JSON.stringify(one).includes("read:")),
    [
      { grant: "exec", only: ["demo/*"] },
      { grant: "pull", only: ["docker.io"], except: ["docker.io/evil"] },
      { grant: "host", only: ["port:80", "network"] },
    ],
  );
  const made = await make(gateway, {
    name: "narrow",
    grants: {
      allow: { read: ["pods"], exec: ["*/web-*"], pull: true, logs: true, host: ["port:80"] },
      deny: { pull: ["docker.io/worse"] },
    },
  });
  const answer = await gateway.ask("GET /v1/grants", undefined, as(made.token));
  assert.equal(answer.at("name"), "narrow");
  assert.equal(answer.at("expires"), made.expires);
  assert.equal(answer.at("tokenFile"), undefined);
  assert.deepEqual(answer.at("grants"), [
    { grant: "read:pods" },
    { grant: "exec", only: ["*/web-*"], within: [["demo/*"]] },
    { grant: "pull", only: ["docker.io"], except: ["docker.io/evil", "docker.io/worse"] },
    { grant: "host", only: ["port:80"], within: [["port:80", "network"]] },
  ]);
});

test("the pulls of one caller are not another's to cancel", async (t) => {
  const gateway = await liveGateway(t);
  const { ask, fake } = gateway;
  const hold = held();
  fake.on("ImageService/PullImage", hold.answer);
  const [a, b] = [
    await make(gateway, { name: "a", grants: { allow: { pull: true } } }),
    await make(gateway, { name: "b", grants: { allow: { pull: true } } }),
  ];
  const pulling = ask("POST /v1/images/pull", { image: "busybox:1.36" }, as(a.token));
  await hold.arrived;
  const id = String((await ask("GET /v1/pulls", undefined, as(a.token))).at("pulls.0.id"));
  assert.equal((await ask(`GET /v1/pulls/${id}`, undefined, as(b.token))).status, 200);
  const refused = await ask(`DELETE /v1/pulls/${id}`, undefined, as(b.token));
  assert.equal(refused.status, 409, refused.text);
  const cancelled = ask(`DELETE /v1/pulls/${id}`, undefined, as(a.token));
  hold.release();
  assert.equal((await cancelled).status, 200);
  assert.equal((await pulling).status, 409);
});

test("identical reads of one caller share a call, and those of two never do", async (t) => {
  const gateway = await liveGateway(t);
  const { ask, fake } = gateway;
  const pod = fake.addPod();
  const grants = { all: true };
  const callers = [await make(gateway, { name: "a", grants }), await make(gateway, { name: "b", grants })];
  for (const [target, rpc] of [
    ["GET /v1/pods", "RuntimeService/ListPodSandbox"],
    [`GET /v1/pods/${pod.id}`, "RuntimeService/PodSandboxStatus"],
  ] as const) {
    const hold = held();
    fake.on(rpc, hold.answer);
    fake.calls.length = 0;
    const answers = callers.flatMap(({ token }) =>
      Array.from({ length: 8 }, () => ask(target, undefined, as(token))),
    );
    await eventually(() => fake.callsOf(rpc).length >= 2);
    hold.release();
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200, answer.text);
    // One each, and another for those of a caller that came while its first call was under way.
    const calls = fake.callsOf(rpc).length;
    assert.ok(calls >= 2 && calls <= 4, `${calls} calls of ${rpc}`);
  }
});
