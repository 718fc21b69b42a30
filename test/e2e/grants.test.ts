/** What a gateway permits: nothing without a flag, and with each flag exactly what it says. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { allGrants, describeGrant, type Grant } from "../../src/grants.ts";
import type { Route } from "../../src/routes/define.ts";
import { routes } from "../../src/routes/index.ts";
import { type CriClient, createCriClient } from "../support/cri-client.ts";
import { type Answer, type Api, assertDone, bodyOf, createApi, problemOf } from "./support/api.ts";
import { type Gateway, startGateway } from "./support/gateway.ts";
import { sendHarmless } from "./support/harmless.ts";
import { reasonToSkip } from "./support/machine.ts";
import { image, newName } from "./support/pods.ts";
import { useRuntime } from "./support/suite.ts";

const skip = await reasonToSkip();

let runtime: CriClient;
const { runtime: embedded, permitting } = useRuntime(skip, ({ socket }) => {
  runtime = createCriClient(socket);
});
after(() => runtime?.close());

/** Runs `use` with `crest serve FLAGS` in front of the private containerd. */
async function serving(
  flags: readonly string[],
  use: (crest: Gateway) => Promise<void>,
  env: { readonly [name: string]: string } = {},
): Promise<void> {
  const args = [`--runtime-endpoint=${embedded().socket}`, ...flags];
  const crest = await startGateway("serve", { args, env });
  try {
    await use(crest);
  } finally {
    await crest.close();
  }
}

/** What a route needs for a request that asks for nothing of the node. */
const needsOf = ({ allow }: Route): readonly Grant[] => (allow === "authenticated" ? [] : [allow]);

/** Asserts that exactly the routes are open whose needs are among `granted`; each other names all that it lacks. */
async function assertOpen(api: Api, granted: ReadonlySet<Grant>): Promise<void> {
  for (const route of routes) {
    const answer = await sendHarmless(api, route);
    const lacks = needsOf(route).filter((grant) => !granted.has(grant));
    const where = `${route.http}: ${answer.text}`;
    if (lacks.length === 0) {
      assert.ok(answer.status !== 401 && answer.status !== 403, where);
      continue;
    }
    assert.equal(answer.status, 403, where);
    const problem = problemOf(answer, 403, "not_capable");
    assert.deepEqual([problem.title, problem.grant, problem.grants], ["NotCapable", lacks[0], lacks], where);
    for (const grant of lacks) {
      const denial = `without .*--deny-${grant.split(":")[0]}`;
      assert.match(
        problem.detail,
        new RegExp(`run again (${denial}|.*with .*${describeGrant(grant)}\\b)`),
        where,
      );
    }
  }
}

async function grantsOf(api: Api): Promise<ReadonlySet<Grant>> {
  const { grants } = bodyOf(await api.get<{ grants: { grant: Grant }[] }>("/v1/grants"));
  return new Set(grants.map(({ grant }) => grant));
}

/** Flags, and the grants that they come to. */
const all = new Set<Grant>(allGrants);
const but = (...words: readonly string[]) =>
  new Set(allGrants.filter((grant) => !words.includes(grant) && !words.includes(grant.split(":")[0] ?? "")));
const cases: readonly (readonly [flags: readonly string[], granted: ReadonlySet<Grant>])[] = [
  [[], new Set()],
  ...allGrants.map((grant) => [[describeGrant(grant)], new Set([grant])] as const),
  [["--allow-read"], new Set(allGrants.filter((grant) => grant.startsWith("read:")))],
  [["--allow-read=pods,images"], new Set<Grant>(["read:pods", "read:images"])],
  [["--allow-run", "--allow-host"], new Set<Grant>(["run", "host"])],
  [["--allow-checkpoint", "--allow-host"], new Set<Grant>(["checkpoint", "host"])],
  [["-A"], all],
  [["--allow-all", "--deny-exec", "--deny-read=pods"], but("exec", "read:pods")],
  [["-A", "--deny-read", "--deny-host"], but("read", "host")],
  [["--allow-stop", "--deny-stop"], new Set()],
  [
    ["--allow-read", "--deny-read=stats"],
    new Set(allGrants.filter((grant) => /^read:(?!stats)/.test(grant))),
  ],
];

test("each flag opens exactly its routes, a denial wins, and every refusal names the flag", {
  skip,
}, async (t) => {
  for (const [flags, granted] of cases) {
    await t.test(flags.join(" ") || "no flags", () =>
      permitting(flags, async (api) => {
        await assertOpen(api, granted);
        assert.deepEqual(await grantsOf(api), granted);
      }),
    );
  }
});

test("a process permits what its flags and variables say", { skip }, async () => {
  await serving([], async (crest) => {
    await assertOpen(crest, new Set());
    assert.match(crest.process.stdout(), /^ {2}grants {3}nothing: /m);
  });
  const env = { CREST_ALLOW_READ: "images,pods", CREST_DENY_EXEC: "true" };
  await serving(
    ["-A", "--deny-read=runtime"],
    (crest) => assertOpen(crest, but("exec", "read:runtime")),
    env,
  );
});

test("without the token everything but liveness and readiness is 401, unknown paths too", {
  skip,
}, async () => {
  await serving(["-A"], async (crest) => {
    for (const authorization of [undefined, "Bearer wrong", `Basic ${crest.token}`, crest.token, "Bearer "]) {
      const scheme = authorization === "Bearer wrong" ? 'Bearer error="invalid_token"' : "Bearer";
      const refused = async (answer: Answer) => {
        assert.equal(problemOf(answer, 401, "unauthenticated").grant, undefined);
        assert.equal(answer.headers["www-authenticate"], scheme);
      };
      for (const route of routes) await refused(await sendHarmless(crest, route, { authorization }));
      await refused(await crest.send("GET", "/v1/nothing", { headers: { authorization } }));
      for (const path of ["/livez", "/readyz"]) {
        assert.equal((await crest.send("GET", path, { headers: { authorization } })).status, 200);
      }
    }
  });
});

test("verbose status and a sandbox config of one's own need grants besides", { skip }, async () => {
  await serving(["--allow-read", "--allow-run", "--deny-verbose"], async (crest) => {
    const problem = problemOf(await crest.get("/v1/runtime/status?verbose"), 403, "not_capable");
    assert.match(problem.detail, /--allow-verbose/);
    bodyOf(await crest.get("/v1/runtime/status?verbose=false"));
  });
  await serving(["--allow-read", "--allow-verbose"], async (crest) => {
    bodyOf(await crest.get("/v1/runtime/status?verbose"));
  });
});

/** A pod with a running container that Crest did not make. */
async function unmanagedPod(): Promise<{
  readonly name: string;
  readonly pod: string;
  readonly container: string;
}> {
  const name = newName();
  const config = { metadata: { name, uid: name, namespace: "kubelets" }, linux: {} };
  const { podSandboxId } = await runtime.call("RuntimeService/RunPodSandbox", { config });
  const { containerId } = await runtime.call("RuntimeService/CreateContainer", {
    podSandboxId,
    config: { metadata: { name: "app" }, image: { image }, command: ["sleep", "3600"], linux: {} },
    sandboxConfig: config,
  });
  await runtime.call("RuntimeService/StartContainer", { containerId });
  return { name, pod: `/v1/pods/${podSandboxId}`, container: `/v1/containers/${containerId}` };
}

const changes = ["--allow-run", "--allow-host", "--allow-stop", "--allow-remove", "--allow-exec"];

test("pods that Crest did not make can be looked at, and changed with --allow-unmanaged only", {
  skip,
}, async () => {
  const { name, pod, container } = await unmanagedPod();
  const exec = { cmd: ["echo", "in"] };
  const created = { metadata: { name: "second" }, image };
  const resources = { linux: { cpuShares: "100" } };
  await serving(["--allow-read", ...changes], async (crest) => {
    for (const answer of [
      await crest.post(`${pod}/stop`),
      await crest.delete(pod),
      await crest.post(`${pod}/containers`, created),
      await crest.post(`${container}/start`),
      await crest.post(`${container}/stop?timeout=0`),
      await crest.delete(container),
      await crest.delete(container.slice(0, -40)),
      await crest.post(`${container}/exec`, exec),
      await crest.patch(`${container}/resources`, resources),
      await crest.post(`${container}/logs/reopen`),
    ]) {
      const problem = problemOf(answer, 403, "not_capable");
      assert.deepEqual([problem.grant, problem.resource], ["unmanaged", `kubelets/${name}`]);
      assert.match(problem.detail, /--allow-unmanaged/);
    }
    const { status } = bodyOf(await crest.get<{ status: { state: string } }>(container));
    assert.equal(status.state, "CONTAINER_RUNNING");

    // Its own pods are not concerned.
    const { headers } = await crest.post("/v1/pods", { metadata: { name: newName() } });
    assertDone(await crest.delete(headers.location ?? ""));
  });
  await serving(["--allow-read", ...changes, "--allow-unmanaged"], async (crest) => {
    assert.equal(bodyOf(await crest.post<{ stdout: string }>(`${container}/exec`, exec)).stdout, "in\n");
    bodyOf(await crest.post(`${pod}/containers`, created), 201);
    assertDone(await crest.post(`${container}/stop?timeout=0`));
    assertDone(await crest.delete(container));
    assertDone(await crest.post(`${pod}/stop`));
    assertDone(await crest.delete(pod));
  });
});

test("a gateway that ends leaves the pods of the node's runtime alone", { skip }, async () => {
  let pod = "";
  await serving(["-A"], async (crest) => {
    pod = (await crest.post("/v1/pods", { metadata: { name: newName() } })).headers.location ?? "";
  });
  await serving(["-A"], async (crest) => {
    const { status } = bodyOf(await crest.get<{ status: { state: string } }>(pod));
    assert.equal(status.state, "SANDBOX_READY");
    assertDone(await crest.delete(pod));
  });
});

test("a Host header must be a name of the gateway, an Origin its own", { skip }, async () => {
  await serving(["--allow-read", "--accept-host=node7.example"], async (crest) => {
    const port = new URL(crest.address).port;
    const ask = (headers: { readonly [name: string]: string }) =>
      crest.send("GET", "/v1/version", { headers });
    for (const host of ["localhost", `127.0.0.1:${port}`, "[::1]:1", "node7.example", "NODE7.example:80"]) {
      bodyOf(await ask({ host }));
    }
    for (const host of [
      "evil.example",
      "localhost.evil.example",
      "node7.example.evil",
      "127.0.0.1.nip.io",
      "::1",
    ]) {
      problemOf(await ask({ host }), 403, "host_not_allowed");
      const { status } = await crest.send("GET", "/livez", { headers: { host } });
      assert.equal(status, 403);
    }
    bodyOf(await ask({ host: `localhost:${port}`, origin: `http://localhost:${port}` }));
    for (const origin of [
      "http://evil.example",
      "null",
      "http://localhost",
      `https://localhost:${port}.evil`,
    ]) {
      problemOf(await ask({ host: `localhost:${port}`, origin }), 403, "origin_not_allowed");
    }
  });
});

test("two gateways with tokens of their own stand in front of one runtime", { skip }, async () => {
  await serving(["--allow-read=runtime"], async (one) => {
    await serving(["--allow-read=runtime"], async (other) => {
      assert.notEqual(one.token, other.token);
      const stranger = createApi(one.address, other.token);
      problemOf(await stranger.get("/v1/version"), 401, "unauthenticated");
      stranger.close();
      bodyOf(await other.get("/v1/version"));
    });
  });
});
