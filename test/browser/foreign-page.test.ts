/**
 * Pages of others in a real Chromium, in front of the fake runtime: whatever they send, with the token or without, is
 * refused before anything runs.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type App, createApp } from "../../src/app.ts";
import { connect, type Runtime } from "../../src/cri/channel.ts";
import type { LogEntry } from "../../src/server/log-entry.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeRuntime, type FakeRuntime } from "../support/fake-runtime.ts";
import { launchChromium, withoutChromium } from "./chromium.ts";

const skip = withoutChromium;
const token = "a-token-that-a-foreign-page-has";
/** A name of someone else, which leads to this machine. */
const evil = "evil.example";

let fake: FakeRuntime;
let runtime: Runtime;
let app: App;
let other: Server;
let browser: Browser;
let folder: string;
let port: number;
let container: string;
const requests: LogEntry[] = [];

const appFor = (allowOrigin: readonly string[]): App =>
  createApp({
    config: {
      listen: { host: "127.0.0.1", port: 0 },
      dataDir: folder,
      acceptHost: ["127.0.0.1", "localhost"],
      allowOrigin,
      grants: { all: true, allow: {}, deny: {} },
    },
    ...{ runtime, token },
    log: () => undefined,
    requestLog: { log: (entry) => requests.push(entry), probes: true },
  });

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), "crest-foreign-"));
  fake = await createFakeRuntime({ manner: "containerd-2.1" });
  container = fake.addContainer({ state: "running" }).id;
  runtime = connect({ runtimeEndpoint: fake.socket });
  app = appFor([]);
  port = Number(new URL(await app.listen()).port);
  other = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>a page of someone else</title>");
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  browser = await launchChromium(`--host-resolver-rules=MAP ${evil} 127.0.0.1`);
});

after(async () => {
  if (skip) return;
  await browser.close();
  other.close();
  await app.close();
  runtime.close();
  await fake.close();
  await rm(folder, { recursive: true, force: true });
});

/** Sends everything that a page can send, and resolves to what the page could read of the answers. */
const attack = (gateway: string): string => `(async () => {
  const gateway = ${JSON.stringify(gateway)};
  const withToken = { authorization: ${JSON.stringify(`Bearer ${token}`)} };
  const stop = gateway + "/v1/containers/${container}/stop";
  const exec = "/v1/containers/${container}/exec?command=true";
  const asked = async (path, options) => {
    try { const { type, status } = await fetch(path, options); return type + " " + status; } catch { return "failed"; }
  };
  const opened = (...protocols) => new Promise((resolve) => {
    const socket = new WebSocket(gateway.replace("http", "ws") + exec, protocols);
    socket.onopen = () => resolve("opened");
    socket.onclose = ({ code }) => resolve("closed " + code);
  });
  const embedded = (tag, path) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = element.onerror = ({ type }) => resolve(type);
    element.src = gateway + path;
    document.body.append(element);
  });
  const submitted = () => new Promise((resolve) => {
    const frame = document.createElement("iframe");
    frame.name = "answer";
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, { action: stop, method: "POST", enctype: "text/plain", target: "answer" });
    document.body.append(form);
    frame.onload = () => resolve("sent");
    form.submit();
  });
  return {
    fetch: await asked(stop, { method: "POST" }),
    fetchWithToken: await asked(stop, { method: "POST", headers: withToken }),
    readWithToken: await asked(gateway + "/v1/pods", { headers: withToken }),
    blind: await asked(stop, { method: "POST", mode: "no-cors", body: "{}" }),
    probe: await asked(gateway + "/readyz", { mode: "no-cors" }),
    beacon: String(navigator.sendBeacon(stop, "{}")),
    webSocket: await opened("v5.channel.k8s.io"),
    webSocketWithToken: await opened("v5.channel.k8s.io", ${JSON.stringify(
      `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString("base64url")}`,
    )}),
    image: await embedded("img", "/readyz"),
    script: await embedded("script", "/openapi.json"),
    frame: await embedded("iframe", "/docs"),
    form: await submitted(),
  };
})()`;

const nothing = {
  ...{ fetch: "failed", fetchWithToken: "failed", readWithToken: "failed" },
  // What a page sends without asking to read it, it never learns anything of.
  ...{ blind: "opaque 0", probe: "opaque 0", beacon: "true" },
  ...{ webSocket: "closed 1006", webSocketWithToken: "closed 1006" },
  ...{ image: "error", script: "error", frame: "load", form: "sent" },
};

async function openPage(url: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  requests.length = 0;
  fake.calls.length = 0;
  return page;
}

/** All that the pages sent arrived, and got nothing but refusals with this code. */
async function allRefused(code: string): Promise<void> {
  await eventually(() => requests.length >= 12);
  assert.deepEqual([...new Set(requests.map((entry) => `${entry.status} ${entry.code}`))], [`403 ${code}`]);
  assert.deepEqual(fake.calls, []);
}

for (const [what, host] of [
  ["another port of the node", "127.0.0.1"],
  ["another site", evil],
]) {
  test(`a page of ${what} runs and reads nothing, also with the token`, { skip }, async () => {
    const { port: foreign } = other.address() as AddressInfo;
    const page = await openPage(`http://${host}:${foreign}/`);
    assert.deepEqual(await page.evaluate(attack(`http://127.0.0.1:${port}`)), nothing);
    await allRefused("origin_not_allowed");
    await page.context().close();
  });
}

test("a page without an origin of its own runs and reads nothing, also with the token", {
  skip,
}, async () => {
  const { port: foreign } = other.address() as AddressInfo;
  const page = await openPage(`http://${evil}:${foreign}/`);
  await page.evaluate(
    `{ const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts allow-forms");
    frame.srcdoc = "<body>";
    document.body.append(frame); }`,
  );
  const frame = await eventually(() => page.frames()[1]);
  await frame.waitForLoadState();
  assert.equal(await frame.evaluate("origin"), "null");
  assert.deepEqual(await frame.evaluate(attack(`http://127.0.0.1:${port}`)), nothing);
  await allRefused("origin_not_allowed");
  await page.context().close();
});

test("a page whose name leads to the gateway runs and reads nothing, also with the token", {
  skip,
}, async () => {
  // It would be of the gateway's own origin to the browser: this is DNS rebinding.
  const gateway = `http://${evil}:${port}`;
  const page = await openPage(`${gateway}/docs`);
  const said = (await page.evaluate(attack(gateway))) as typeof nothing;
  const refused = "basic 403";
  assert.deepEqual(said, {
    ...nothing,
    ...{ fetch: refused, fetchWithToken: refused, readWithToken: refused, blind: refused, probe: refused },
  });
  await allRefused("host_not_allowed");
  await page.context().close();
});

test("a page that --allow-origin names may do the same, with the token", { skip }, async () => {
  const allowed = createServer((_request, response) => response.end("a page of the user"));
  await new Promise<void>((resolve) => allowed.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(allowed.address() as AddressInfo).port}`;
  const second = appFor([origin]);
  const page = await openPage(origin);
  const said = (await page.evaluate(attack(await second.listen()))) as typeof nothing;
  assert.deepEqual(
    [said.fetch, said.fetchWithToken, said.readWithToken, said.webSocket],
    ["cors 401", "cors 204", "cors 200", "closed 1006"],
  );
  // What does not say from which page it comes is still refused.
  assert.deepEqual([said.probe, said.image], ["opaque 0", "error"]);
  await page.context().close();
  await second.close();
  allowed.close();
});

test("the gateway's own page may do the same, with the token", { skip }, async () => {
  const gateway = `http://127.0.0.1:${port}`;
  const page = await openPage(`${gateway}/livez`);
  const said = (await page.evaluate(attack(gateway))) as typeof nothing;
  assert.deepEqual(
    [said.fetch, said.fetchWithToken, said.readWithToken],
    ["basic 401", "basic 204", "basic 200"],
  );
  const rpcs = fake.calls.map(({ rpc }): string => rpc);
  for (const rpc of ["RuntimeService/StopContainer", "RuntimeService/ListPodSandbox"])
    assert.ok(rpcs.includes(rpc), rpc);
  await page.context().close();
});
