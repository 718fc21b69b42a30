/** What a newcomer's mistakes are answered with: what was meant, and how to go on. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { createApp } from "../../src/app.ts";
import { connect } from "../../src/cri/channel.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { tempDir } from "../support/temp-dir.ts";
import { liveGateway, token } from "./live-gateway.ts";
import { exactly, problemOf, sharedGateway } from "./table-gateway.ts";

const { gateway, fake, open } = await sharedGateway();

test("a path that does not exist names the one that was meant", async () => {
  for (const [target, meant] of [
    ["GET /v1/pod", "GET /v1/pods"],
    ["GET /v1/container/3f2a", "GET /v1/containers/3f2a"],
    ["GET /api/v1/pods", "GET /v1/pods"],
    ["GET /", "GET /docs"],
  ] as const) {
    const problem = problemOf(await open.ask(target), { status: 404, code: "route_not_found" });
    assert.equal(problem.detail, `No route ${target} (did you mean ${meant}?)`);
  }
  const unlike = problemOf(await open.ask("GET /v1/secrets"), { status: 404, code: "route_not_found" });
  assert.equal(unlike.detail, "No route GET /v1/secrets");
});

test("a method that a path does not take names the route that takes it", async () => {
  const answer = await open.ask("POST /v1/containers", { json: {} });
  const problem = problemOf(answer, { status: 405, code: "method_not_allowed" });
  assert.equal(
    problem.detail,
    "/v1/containers does not allow POST: use GET, HEAD (did you mean POST /v1/pods/{podSandboxId}/containers?)",
  );
  assert.equal(answer.headers.allow, "GET, HEAD");
});

test("a list with a slash too many says so", async () => {
  const problem = problemOf(await open.ask("GET /v1/pods/"), { status: 400, code: "invalid_request" });
  assert.match(problem.detail, /must not be empty: to list all, use \/v1\/pods without the trailing slash/);
});

test("names of Kubernetes and Docker are told CRI's, at the place where they stand", async () => {
  const pod = fake.addPod({ labels: { "crest/managed": "true" } });
  const json = {
    metadata: { name: "a" },
    image: "busybox:1.36",
    envs: ["A=b"],
    mounts: [{ mountPath: "/x", hostPath: "/y" }],
    imagePullPolicy: "Always",
  };
  const answer = await open.ask(`POST /v1/pods/${pod.id}/containers`, { json });
  const { errors } = problemOf(answer, { status: 400, code: "invalid_request" });
  const leaveOut = "; fieldValidation=Warn ignores it with a warning";
  assert.deepEqual(errors?.map(({ pointer, detail }) => [pointer, detail]).sort(), [
    ["/envs/0", 'must be an object, got a string: write {"key": "LANG", "value": "C.UTF-8"}'],
    [
      "/imagePullPolicy",
      `is not known: CRI does not have this, images are pulled only with POST /v1/images/pull${leaveOut}`,
    ],
    ["/mounts/0/mountPath", `is not known: write containerPath instead${leaveOut}`],
  ]);
});

test("a parameter that others have is told the one of the route", async () => {
  const problem = problemOf(await open.ask("GET /v1/pods?label=app"), {
    status: 400,
    code: "invalid_request",
  });
  assert.equal(
    problem.detail,
    "Invalid label: unknown parameter (did you mean labelSelector?); this route has continue, id, labelSelector, limit, name, namespace, state",
  );
});

test("what belongs into the body is said to, where it is given as a parameter", async () => {
  const answer = await open.ask("POST /v1/images/pull?image=busybox");
  const { detail } = problemOf(answer, { status: 400, code: "invalid_request" });
  assert.match(detail, /^Invalid image: unknown parameter \(it belongs in the body\); this route has /);
});

test("the name of a pod where a container belongs is said to be one, and the other way round", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const { fake: runtime, ask } = await liveGateway(t, manner);
      const pod = runtime.addPod({ name: "web", namespace: "shop", labels: { "crest/managed": "true" } });
      const container = runtime.addContainer({ pod, name: "app" });
      for (const [target, kind, given, id, found] of [
        ["GET /v1/containers/web", "container", "web", pod.id, "pod"],
        ["POST /v1/containers/shop%2Fweb/start", "container", "shop/web", pod.id, "pod"],
        ["GET /v1/pods/app", "pod", "app", container.id, "container"],
        ["DELETE /v1/pods/web%2Fapp", "pod", "web/app", container.id, "container"],
      ] as const) {
        const answer = await ask(target);
        assert.deepEqual([answer.status, answer.at("code")], [404, "not_found"], answer.text);
        assert.equal(
          answer.at("detail"),
          `Cannot find ${kind} "${given}": this is the name of ${found} ${id}`,
          target,
        );
        assert.deepEqual(answer.at("candidates"), [id]);
      }
      const list = await ask("GET /v1/containers?pod=app");
      assert.deepEqual([list.status, list.at("errors.0.parameter")], [400, "pod"], list.text);
      assert.match(String(list.at("detail")), new RegExp(`this is the name of container ${container.id}`));
    });
  }
});

test("the id of a pod where that of a container belongs is said to be one, and the other way round", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const { fake: runtime, ask } = await liveGateway(t, manner);
      const pod = runtime.addPod({ labels: { "crest/managed": "true" } });
      const container = runtime.addContainer({ pod });
      for (const [target, kind, id, other] of [
        [`GET /v1/containers/${pod.id}`, "container", pod.id, "pod"],
        [`DELETE /v1/containers/${pod.id}`, "container", pod.id, "pod"],
        [`GET /v1/containers/${pod.id.slice(0, 12)}`, "container", pod.id.slice(0, 12), "pod"],
        [`GET /v1/pods/${container.id}`, "pod", container.id, "container"],
      ] as const) {
        const answer = await ask(target);
        assert.deepEqual([answer.status, answer.at("code")], [404, "not_found"], answer.text);
        assert.equal(
          answer.at("detail"),
          `Cannot find ${kind} "${id}": this is the id of a ${other}`,
          target,
        );
      }
      const absent = await ask(`GET /v1/pods/${"f".repeat(64)}`);
      assert.deepEqual([absent.status, absent.at("candidates")], [404, undefined]);
    });
  }
});

test("an image that is not on the node is told the command that pulls it, which works as it stands", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const { fake: runtime, ask } = await liveGateway(t, manner);
      const pod = runtime.addPod({ labels: { "crest/managed": "true" } });
      const create = (image: unknown, more: object = {}) =>
        ask(`POST /v1/pods/${pod.id}/containers`, { metadata: { name: "a" }, image, ...more });
      for (const answer of [
        await create("quay.io/team/app:1"),
        await create({ image: "quay.io/team/app:1" }),
        await ask("GET /v1/images/quay.io/team/app:1"),
      ]) {
        assert.equal(answer.status, 404, answer.text);
        const detail = String(answer.at("detail"));
        assert.match(detail, /^Image "quay\.io\/team\/app:1" is not on this node\. Pull it first: curl /);
      }
      const detail = String((await create("quay.io/team/app:1")).at("detail"));
      const command = detail.slice(detail.indexOf("curl "));
      const shell = await promisify(execFile)("sh", ["-c", `${command} --silent --fail`], {
        env: { ...process.env, TOKEN: token },
      });
      assert.ok("imageRef" in JSON.parse(shell.stdout), shell.stdout);
      assert.equal((await create("quay.io/team/app:1")).status, 201);
    });
  }
});

test("the command that pulls is safe to paste, whatever the image is called", async (t) => {
  const { fake: runtime, ask } = await liveGateway(t);
  const pod = runtime.addPod({ labels: { "crest/managed": "true" } });
  const image = "a'; touch /tmp/no; echo 'b\n$(id)";
  const answer = await ask(`POST /v1/pods/${pod.id}/containers`, { metadata: { name: "a" }, image });
  const detail = String(answer.at("detail"));
  const echoed = detail.slice(detail.indexOf("--json ")).replace("--json ", "printf %s ");
  const { stdout } = await promisify(execFile)("sh", ["-c", echoed.replace(/ http:.*$/, "")]);
  assert.deepEqual(JSON.parse(stdout), { image });
});

test("without the grant for it, the pull is told with its flag; an id cannot be pulled", async () => {
  const pod = fake.addPod({ labels: { "crest/managed": "true" } });
  const path = `POST /v1/pods/${pod.id}/containers`;
  const narrowed = gateway.open(exactly(["run", "host", "read:images"]));
  const ask = (image: string) => narrowed.ask(path, { json: { metadata: { name: "a" }, image } });
  const answer = await ask("quay.io/team/other:1");
  const { detail } = problemOf(answer, { status: 404, code: "image_not_found" });
  assert.match(detail, /Pull it first \(the gateway needs --allow-pull\): curl /);
  assert.ok(detail.endsWith(" http://localhost:8585/v1/images/pull"), detail);
  const byId = problemOf(await ask(`sha256:${"a".repeat(64)}`), { status: 404, code: "image_not_found" });
  assert.doesNotMatch(byId.detail, /curl/);
});

test("over a Unix socket the command that pulls goes there", async (t) => {
  const folder = await tempDir(t);
  const runtime = connect({ runtimeEndpoint: fake.socket });
  const app = createApp({
    config: {
      listen: { path: `${folder}/crest.sock` },
      dataDir: folder,
      acceptHost: ["localhost"],
      grants: { all: true, allow: {}, deny: {} },
    },
    runtime,
    token,
    log: () => undefined,
  });
  await app.listen();
  t.after(async () => {
    await app.close();
    runtime.close();
  });
  const curl = ["--silent", "--unix-socket", `${folder}/crest.sock`, "-H", `Authorization: Bearer ${token}`];
  const { stdout } = await promisify(execFile)("curl", [...curl, "http://localhost/v1/images/quay.io/x:1"]);
  const { detail } = JSON.parse(stdout) as { detail: string };
  assert.ok(detail.includes(`curl --unix-socket ${folder}/crest.sock -H `), detail);
  assert.ok(detail.endsWith(" http://localhost/v1/images/pull"), detail);
});
