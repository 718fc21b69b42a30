/** Several callers in front of a real containerd: what the commands of docs/callers.md do. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import WebSocket from "ws";
import { pathsOf } from "../../src/embedded/paths.ts";
import { documentedScript } from "../support/documents.ts";
import { type Api, createApi } from "./support/api.ts";
import { newFolder, startGateway } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { runContainer, runPod, shell } from "./support/pods.ts";
import { crestCommand, runToEnd } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const crest = useGateway(skip);
const folder = newFolder();
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a script in which `crest` is this build, on the data folder of the gateway. */
async function run(script: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "crest"), `#!/bin/sh\nexec ${crestCommand().join(" ")} "$@"\n`);
  chmodSync(join(bin, "crest"), 0o755);
  const { address, token, dataDir } = crest();
  const env = {
    ...{ PATH: `${bin}:${process.env.PATH}`, CREST_DATA_DIR: dataDir, API: address },
    auth: `Authorization: Bearer ${token}`,
  };
  const ended = await runToEnd(["bash", "-c", script], { env, cwd: folder });
  assert.equal(ended.code, 0, `${ended.stdout}${ended.stderr}`);
  return ended;
}

/** The API as another caller sees it. */
async function as(token: string, use: (api: Api) => Promise<void>): Promise<void> {
  const api = createApi(crest().address, token);
  try {
    await use(api);
  } finally {
    api.close();
  }
}

test("a token for one shell opens this one and no other, and revoking it ends the shell", {
  skip,
}, async () => {
  const [web, db] = [
    await runPod(crest(), { metadata: { name: "web", namespace: "demo" } }),
    await runPod(crest(), { metadata: { name: "db", namespace: "demo" } }),
  ];
  const [inWeb, inDb] = [
    await runContainer(crest(), web, shell("sleep 3600")),
    await runContainer(crest(), db, shell("sleep 3600")),
  ];
  const { stdout } = await run(
    "crest token create --name=colleague --for=1h --allow-read=demo/web --allow-exec=demo/web",
  );
  const token = stdout.trim();
  assert.match(token, /^crest_[\w-]{43}$/);
  await as(token, async (api) => {
    const done = await api.post(`${inWeb.path}/exec`, { cmd: ["echo", "hello"] });
    assert.equal(done.status, 200, done.text);
    assert.match(done.text, /hello/);
    // It may not even know that the other one is there.
    assert.equal((await api.post(`${inDb.path}/exec`, { cmd: ["echo"] })).status, 404);
    assert.equal((await api.post(`${inWeb.path}/stop`)).status, 403);
  });

  const { address } = crest();
  const session = new WebSocket(
    `${address.replace("http", "ws")}${inWeb.path}/exec?command=sh&stdin=true&tty=true`,
    ["v5.channel.k8s.io"],
    { headers: { authorization: `Bearer ${token}` } },
  );
  await new Promise((resolve, reject) => session.once("open", resolve).once("error", reject));
  const closed = new Promise((resolve) =>
    session.once("close", (code, reason) => resolve([code, String(reason)])),
  );
  await run("crest token revoke colleague");
  assert.deepEqual(await closed, [4401, 'The token "colleague" was revoked or changed']);
  await as(token, async (api) => assert.equal((await api.get("/v1/grants")).status, 401));
});

test("the documents' commands about tokens run as they are, and leave what they say", { skip }, async () => {
  const { stdout } = await run(`set -eu; curl() { command curl --silent --fail-with-body "$@"; }
    ${documentedScript("sh callers")}`);
  assert.match(stdout, /"name":"colleague"/);
  assert.match(stdout, /^colleague {2}.*--allow-read=demo\/web --allow-exec=demo\/web$/m);
  assert.match(stdout, /"name":"visitor","token":"crest_/);
  assert.match(stdout, /\{"revoked":\["visitor"\]\}/);
  const { stdout: listed } = await run("crest token list");
  assert.match(listed, /^ci {2}/m);
  assert.doesNotMatch(listed, /colleague|visitor|crest_/);
});

test("the documents' issuer makes tokens that the documents' gateway takes", { skip }, async () => {
  const script = join(folder, "issuer.mjs");
  writeFileSync(script, documentedScript("js issuer"));
  const issued = await runToEnd([process.execPath, script], { env: {}, cwd: folder });
  assert.equal(issued.code, 0, issued.stderr);
  const [, ...flags] = documentedScript("sh jwt").trim().split(/\s+/).slice(1);
  const args = flags.map((flag) => flag.replace("=keys.json", `=${join(folder, "keys.json")}`));
  const { socket } = pathsOf(crest().dataDir);
  const gateway = await startGateway("serve", { args: [`--runtime-endpoint=${socket}`, ...args] });
  const api = createApi(gateway.address, issued.stdout.trim());
  try {
    const answer = await api.get("/v1/grants");
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.text, /"name":"jwt:https:\/\/issuer\.example#alice"/);
    assert.match(answer.text, /\{"grant":"exec","only":\["demo\/web"\]\}/);
    assert.equal((await api.get("/v1/pods")).status, 200);
  } finally {
    api.close();
    await gateway.close();
  }
});
