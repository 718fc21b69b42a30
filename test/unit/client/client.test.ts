/** The client against scripted answers: what the gateway rarely does, and what is no gateway at all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CrestError, createClient, type Fetch, type StreamOptions } from "../../../src/client/index.ts";

const server = "http://gateway.example/base/";

/** An answer, or what `fetch` fails with. */
type Scripted = Response | Error;

const events = (text: string, close: "end" | "cut" = "end"): Response => {
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream({
    start(controller) {
      // In pieces that end anywhere.
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.subarray(at, at + 7));
      if (close === "end") controller.close();
    },
    pull(controller) {
      controller.error(new Error("cut"));
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
};
const event = (data: object, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
const problem = (code: string, status: number, members: object = {}) => ({
  ...{ type: `/docs/problems#${code}`, title: code, status, detail: `because of ${code}`, code },
  ...{ retryable: false, requestId: "r1", ...members },
});

/** A client whose requests get these answers, one after the other. */
function scripted(...answers: readonly Scripted[]) {
  const requests: { readonly url: URL; readonly headers: { readonly [name: string]: string } }[] = [];
  const rest = [...answers];
  const fetch: Fetch = async (url, { headers }) => {
    requests.push({ url: new URL(url), headers });
    const answer = rest.shift() ?? assert.fail("one request too many");
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { client: createClient({ server, token: "t0ken\n", fetch }), requests };
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const line = (text: string, cursor: string): string => event({ text, cursor }, cursor);

test("a server or token that cannot be right is refused, without the token in the message", async () => {
  for (const wrong of [
    "",
    "gateway",
    "ftp://x",
    "unix:/run/x",
    "http://user:pw@x",
    "http://x?y",
    "http://x#y",
  ])
    assert.throws(() => createClient({ server: wrong, token: "t" }), TypeError, wrong);
  for (const token of ["", " ", "secret with space", "sécret", "secret\nX-Other: 1"]) {
    await assert.rejects(createClient({ server, token }).getVersion(), (error: Error) => {
      assert.ok(error instanceof TypeError);
      assert.ok(!error.message.includes("cret w") && !error.message.includes("X-Other"));
      return true;
    });
  }
});

test("the path of the server, the token and the parameters are in the request", async () => {
  const { client, requests } = scripted(
    Response.json({}),
    Response.json({}),
    new Response(null, { status: 204 }),
  );
  await client.getImage({ image: "a/b:1 ?#%", verbose: true });
  await client
    .listContainers({ labelSelector: "a=b&c", limit: 3 }, { headers: { Accept: "text/html" } })
    .page();
  assert.equal(await client.removePod({ podSandboxId: "x" }), undefined);
  assert.deepEqual(
    requests.map(({ url }) => url.href),
    [
      "http://gateway.example/base/v1/images/a%2Fb%3A1%20%3F%23%25?verbose=true",
      "http://gateway.example/base/v1/containers?labelSelector=a%3Db%26c&limit=3",
      "http://gateway.example/base/v1/pods/x",
    ],
  );
  for (const { headers } of requests)
    assert.deepEqual(headers, { accept: "application/json", authorization: "Bearer t0ken" });
});

test("an id that would name another path is refused before anything is sent", async () => {
  const { client } = scripted();
  for (const containerId of ["", ".", ".."]) {
    await assert.rejects(client.getContainer({ containerId }), TypeError);
    await assert.rejects(client.removeContainer({ containerId }), TypeError);
    assert.throws(() => client.getContainerLogs({ containerId }), TypeError);
    await assert.rejects(client.exec({ containerId, command: ["sh"] }), TypeError);
  }
});

test("a problem becomes an error with its members; another answer says what it is", async () => {
  const mistakes = [{ parameter: "x", detail: "wrong" }];
  const refused = problem("not_capable", 403, { grant: "exec", errors: mistakes });
  const { client } = scripted(
    Response.json(refused, { status: 403, headers: { "retry-after": "7" } }),
    new Response("<h1>Bad gateway</h1>", { status: 502 }),
    new Response("not json"),
    Response.json({ code: 1 }, { status: 400 }),
  );
  await assert.rejects(client.getVersion(), (error: unknown) => {
    assert.ok(error instanceof CrestError);
    const { name, code, status, detail, message, grant, errors, retryable, requestId, retryAfter } = error;
    assert.deepEqual(
      { name, code, status, detail, message, grant, errors, retryable, requestId, retryAfter },
      {
        ...{ name: "CrestError", code: "not_capable", status: 403, detail: "because of not_capable" },
        ...{ message: "because of not_capable", grant: "exec", errors: mistakes, retryable: false },
        ...{ requestId: "r1", retryAfter: 7 },
      },
    );
    assert.deepEqual(error.problem, refused);
    return true;
  });
  const isInvalid = (status: number, message: RegExp) => ({ code: "invalid_answer", status, message });
  await assert.rejects(client.getVersion(), isInvalid(502, /status 502 .*<h1>Bad gateway/));
  await assert.rejects(client.getVersion(), isInvalid(200, /not JSON/));
  await assert.rejects(client.getVersion(), isInvalid(400, /status 400/));
});

test("events are read in pieces that end anywhere, with heartbeats and characters of several bytes", async () => {
  const text = `:\n\n${line("grüße 🎉", "c1")}:\n\n${line("two", "c2")}`;
  const { client, requests } = scripted(events(text));
  const lines = await all(client.getContainerLogs({ containerId: "x" }));
  assert.deepEqual(
    lines.map((one) => one.text),
    ["grüße 🎉", "two"],
  );
  assert.equal(requests[0]?.headers.accept, "text/event-stream");
});

test("a log goes on after the last cursor; its times ago and limitBytes stay what they were", async () => {
  const { client, requests } = scripted(
    events(`${line("abcd", "c1")}${line("cut", "c2").slice(0, 20)}`),
    new TypeError("fetch failed"),
    events(line("cut", "c2"), "cut"),
    events(line("end", "c3")),
  );
  const query = {
    containerId: "x",
    since: "5m",
    until: "2026-11-29T10:00:00Z",
    limitBytes: 100,
    tailLines: 3,
  };
  const lines = await all(client.getContainerLogs(query));
  assert.deepEqual(
    lines.map((one) => one.text),
    ["abcd", "cut", "end"],
  );
  assert.deepEqual(
    requests.map(({ headers }) => headers["last-event-id"]),
    [undefined, "c1", "c1", "c2"],
  );
  const last = requests.at(-1)?.url.searchParams;
  assert.match(last?.get("since") ?? "", /^5m\d+ms$/);
  assert.equal(last?.get("until"), query.until);
  assert.equal(last?.get("limitBytes"), "91");
});

test("a log whose limitBytes is used up ends at a cut", async () => {
  const { client, requests } = scripted(events(`${line("abcd", "c1")}data: {`));
  assert.equal((await all(client.getContainerLogs({ containerId: "x", limitBytes: 5 }))).length, 1);
  assert.equal(requests.length, 1);
});

test("events are read again after a gap; a snapshot that was cut is followed by resync", async () => {
  const gap = event({ type: "gap", time: "t", gap: 7 });
  const { client, requests } = scripted(
    events(event({ type: "pod.ready", time: "t", snapshot: true }), "cut"),
    events(`${event({ type: "bookmark", time: "t" }, "b.1")}${gap}`),
    events(event({ type: "pod.removed", time: "t" }, "b.2")),
  );
  const types = (await all(client.listEvents({ watch: true }))).map(({ type }) => type);
  assert.deepEqual(types, ["pod.ready", "resync", "bookmark", "pod.removed"]);
  assert.deepEqual(
    requests.map(({ headers }) => headers["last-event-id"]),
    [undefined, undefined, "b.1"],
  );
});

test("a wait asks for the rest of its time, and tells a state once", async () => {
  const running = event({ exited: false, state: "CONTAINER_RUNNING" });
  const exited = event({ exited: true, state: "CONTAINER_EXITED", exitCode: 0 });
  const { client, requests } = scripted(events(running, "cut"), events(running + exited));
  const states = await all(client.waitContainer({ containerId: "x", timeout: 30 }));
  assert.deepEqual(
    states.map(({ state }) => state),
    ["CONTAINER_RUNNING", "CONTAINER_EXITED"],
  );
  assert.match(requests[1]?.url.searchParams.get("timeout") ?? "", /^(29|30)$/);
});

test("usage leaves its history out when it goes on, and ends if the container has ended", async () => {
  const { client, requests } = scripted(
    events(event({ id: "x" }), "cut"),
    Response.json(problem("not_running", 409), { status: 409 }),
  );
  const query = { containerId: "x", history: "5m", interval: "1s" };
  assert.equal((await all(client.watchOneContainerStats(query))).length, 1);
  assert.equal(requests[1]?.url.search, "?interval=1s");
});

test("a pull that ends without a result is sent again, and its failure is thrown", async () => {
  const progress = event({ progress: { id: "p1" } });
  const { client, requests } = scripted(
    events(progress),
    events(`${progress}event: error\ndata: ${JSON.stringify(problem("pull_cancelled", 409))}\n\n`),
  );
  const body = { image: { image: "busybox" } };
  await assert.rejects(client.pullImage({ body }).answer(), { code: "pull_cancelled", status: 409 });
  assert.equal(requests.length, 2);
});

test("what passes by itself is tried again, and what does not is thrown", async () => {
  const cut = () => events(line("one", "c1"), "cut");
  const read = (answers: readonly Scripted[], options: StreamOptions = {}) =>
    all(scripted(cut(), ...answers).client.getContainerLogs({ containerId: "x" }, options));
  const busy = Response.json(problem("overloaded", 503), { status: 503 });
  const proxy = new Response("<h1>Starting</h1>", { status: 503 });
  assert.equal((await read([busy, proxy, events(line("two", "c2"))])).length, 2);
  const gone = problem("cursor_gone", 410, { cursor: "c0" });
  await assert.rejects(read([Response.json(gone, { status: 410 })]), (error: CrestError) => {
    assert.deepEqual([error.code, error.problem?.cursor], ["cursor_gone", "c0"]);
    return true;
  });
  await assert.rejects(read([Response.json(problem("unauthenticated", 401), { status: 401 })]), {
    code: "unauthenticated",
  });
  await assert.rejects(read([], { reconnect: false }), { code: "connection_lost" });
  await assert.rejects(read([], { giveUpAfterMs: 0 }), { code: "connection_lost" });
});

test("an answer that is no stream of events is refused", async () => {
  const { client } = scripted(
    new Response("text"),
    events("data: {]\n\n"),
    events("event: error\ndata: x\n\n"),
  );
  for (let count = 0; count < 3; count++)
    await assert.rejects(all(client.listEvents()), { code: "invalid_answer" });
});

test("an error of the loop's own callback ends the stream with it", async () => {
  const mistake = new RangeError("a mistake");
  const { client } = scripted(events(line("one", "c1"), "cut"));
  const onReconnect = (): void => {
    throw mistake;
  };
  await assert.rejects(all(client.getContainerLogs({ containerId: "x" }, { onReconnect })), (error) => {
    return error === mistake;
  });
});

test("a list stops at the page without a continuation, and passes its filters to each page", async () => {
  const { client, requests } = scripted(
    Response.json({ items: [{ id: "1" }], continue: "k" }),
    Response.json({ items: [{ id: "2" }] }),
  );
  assert.deepEqual(
    (await all(client.listPods({ labelSelector: "a" }))).map(({ id }) => id),
    ["1", "2"],
  );
  assert.deepEqual(
    requests.map(({ url }) => url.search),
    ["?labelSelector=a&limit=500", "?labelSelector=a&limit=500&continue=k"],
  );
});
