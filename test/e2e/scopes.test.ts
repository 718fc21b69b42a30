/** What docs/scopes.md says of grants for some pods only, on a real runtime. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Api, bodyOf, problemOf } from "./support/api.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, newName, podStatus, type Resource, runContainer, runPod, shell } from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();
const { permitting } = useRuntime(skip);
const absent = "f".repeat(64);

interface Made {
  readonly pod: Resource;
  readonly container: Resource;
  readonly name: string;
}
async function make(api: Api, namespace: string, tier: string): Promise<Made> {
  const name = newName();
  const metadata = { namespace, name, uid: name };
  const pod = await runPod(api, { metadata, labels: { tier } });
  // The label of a container, which its creator chooses, must not count.
  const config = { ...shell("echo own line; sleep 600"), labels: { tier: "web" } };
  return { name, pod, container: await runContainer(api, pod, config) };
}

let population: Promise<{ readonly web: Made; readonly db: Made }> | undefined;

/** The pods of all the tests, made by the first. */
function pods(): NonNullable<typeof population> {
  population ??= (async () => {
    const both: Made[] = [];
    await permitting(["-A"], async (api) => {
      both.push(await make(api, "demo", "web"), await make(api, "secret", "db"));
    });
    const [web = assert.fail(), db = assert.fail()] = both;
    return { web, db };
  })();
  return population;
}

const narrow = [
  "--allow-read=demo/*,images",
  "--allow-logs=demo",
  "--allow-exec=demo/*",
  "--deny-exec=label:tier=db",
];

test("lists, logs, usage and events hold what is in the scope", { skip }, async () => {
  const { web, db } = await pods();
  await permitting(narrow, async (api) => {
    for (const path of [
      "/v1/pods",
      "/v1/containers",
      "/v1/stats/pods",
      "/v1/stats/containers",
      "/v1/events",
      "/metrics/cadvisor",
    ]) {
      const { text } = await api.send("GET", path);
      assert.ok(text.includes(web.pod.id) || text.includes(web.container.id), `${path}: ${text}`);
      const { pod, container, name } = db;
      for (const hidden of [pod.id, container.id, name, "secret"]) assert.ok(!text.includes(hidden), path);
    }
    const logs = await api.send("GET", "/v1/logs?namespace=demo");
    assert.equal(logs.status, 200, logs.text);
    assert.equal((await api.send("GET", "/v1/logs?namespace=secret")).text, "");
    problemOf(await api.send("GET", "/metrics"), 403, "not_capable");
  });
});

test("what is out of scope is not there, by id, prefix and name", { skip }, async () => {
  const { web, db } = await pods();
  await permitting(narrow, async (api) => {
    assert.equal((await exec(api, web.container, "echo in")).stdout, "in\n");
    await podStatus(api, web.pod);
    const { pod, container, name } = db;
    const ask = async (method: string, path: string, id: string): Promise<string> => {
      const body = method === "POST" ? { cmd: ["true"] } : undefined;
      const answer = await api.send(method, path.replace("ID", id), ...(body ? [{ body }] : []));
      const problem = problemOf(answer, 404, "not_found");
      return `${problem.detail}`.replaceAll(id, "ID");
    };
    for (const [method, path, ids] of [
      ["GET", "/v1/pods/ID", [pod.id, pod.id.slice(0, 12), name]],
      ["GET", "/v1/containers/ID", [container.id, container.id.slice(0, 12)]],
      ["GET", "/v1/containers/ID/logs", [container.id]],
      ["POST", "/v1/containers/ID/exec", [container.id]],
    ] as const)
      for (const id of ids) {
        // What may be a name is answered in other words than what may be an id.
        const other = id === name ? "z".repeat(name.length) : absent.slice(0, id.length);
        assert.equal(await ask(method, path, id), await ask(method, path, other));
      }
  });
});

test("what may be read, but not used, is refused with the flag that is missing", { skip }, async () => {
  const { db } = await pods();
  await permitting(["--allow-read", "--allow-stop=demo", "--allow-run=demo/web-*"], async (api) => {
    const { pod, name } = db;
    const refused = problemOf(await api.send("POST", `/v1/pods/${pod.id}/stop`), 403, "not_capable");
    assert.equal(
      refused.detail,
      `Requires stop access to "secret/${name}", run again with --allow-stop=secret/${name}`,
    );
    const metadata = { namespace: "demo", name: "db" };
    problemOf(await api.send("POST", "/v1/pods", { body: { metadata } }), 403, "not_capable");
    const grants = bodyOf<{ grants: readonly { grant: string; only?: readonly string[] }[] }>(
      await api.send("GET", "/v1/grants"),
    );
    assert.deepEqual(grants.grants.find(({ grant }) => grant === "run")?.only, ["demo/web-*"]);
  });
});

test("a pod is created within the scope, and its taken name tells nothing", { skip }, async () => {
  const name = newName();
  const metadata = { namespace: "secret", name, uid: name };
  let taken = "";
  await permitting(["-A"], async (api) => {
    taken = (await runPod(api, { metadata })).id;
  });
  await permitting(["--allow-run=label:team=x", "--allow-read=label:team=x"], async (api) => {
    const refused = await api.send("POST", "/v1/pods", { body: { metadata, labels: { team: "x" } } });
    assert.equal(refused.status, 409, refused.text);
    assert.ok(!refused.text.includes(taken), refused.text);
    const own = await runPod(api, { metadata: { ...metadata, name: newName() }, labels: { team: "x" } });
    await podStatus(api, own);
  });
});
