/** `crest ps`, `pods` and `images` against a gateway. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";
const minute = 60_000_000_000n;
const ago = (minutes: bigint): bigint => BigInt(Date.now()) * 1_000_000n - minutes * minute;
const idOf = (digit: string): string => digit.repeat(64);

async function world(t: TestContext) {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  const web = fake.addPod({ id: idOf("a"), name: "web", namespace: "shop", createdAtNanos: ago(120n) });
  const db = fake.addPod({ id: idOf("b"), name: "db", state: "not ready", createdAtNanos: ago(60n) });
  const image = "docker.io/library/nginx:1.27";
  fake.addContainer({
    ...{ pod: web, id: idOf("1"), name: "app", image, createdAtNanos: ago(90n) },
    labels: { app: "web" },
  });
  fake.addContainer({ pod: web, id: idOf("2"), name: "log", image, createdAtNanos: ago(5n) });
  fake.addContainer({
    ...{ pod: db, id: idOf("3"), name: "postgres", image: "docker.io/library/postgres:17" },
    ...{ state: "exited", createdAtNanos: ago(50n) },
  });
  return gateway;
}

test("ps prints the running containers, newest first", async (t) => {
  const gateway = await world(t);
  assert.deepEqual(await runCommand(gateway, ["ps"]), {
    code: 0,
    stdout: `CONTAINER      NAME  POD       IMAGE       STATE    AGE
2222222222222  log   shop/web  nginx:1.27  running  5m
1111111111111  app   shop/web  nginx:1.27  running  1h
`,
    stderr: "",
  });
  const all = await runCommand(gateway, ["ps", "-a"]);
  assert.match(all.stdout, /^3{13} {2}postgres {2}default\/db {2}postgres:17 {2}exited {3}50m$/m);
});

test("ps fits into the terminal, and --no-trunc does not", async (t) => {
  const gateway = await world(t);
  gateway.fake.addContainer({
    pod: idOf("a"),
    name: "a-container-with-a-rather-long-name",
    image: `registry.example/${"team/".repeat(10)}app:1`,
  });
  for (const columns of [80, 100, 200]) {
    const { stdout } = await runCommand(gateway, ["ps", "-a"], { columns });
    for (const line of stdout.split("\n")) assert.ok(line.length <= columns, line);
    if (columns === 200) assert.doesNotMatch(stdout, /…/);
  }
  const { stdout } = await runCommand(gateway, ["ps", "-a", "--no-trunc"], { columns: 80 });
  assert.match(stdout, new RegExp(`^${idOf("1")}  app`, "m"));
  assert.match(stdout, /docker\.io\/library\/nginx:1\.27/);
});

test("colours are on terminals only", async (t) => {
  const gateway = await world(t);
  const colour = "\u001b[32mrunning\u001b[39m";
  const { stdout } = await runCommand(gateway, ["ps"], { columns: 80, hasColours: true });
  assert.ok(stdout.includes(colour), stdout);
  assert.ok(!(await runCommand(gateway, ["ps"], { columns: 80 })).stdout.includes("\u001b"));
});

test("-o json is the answer of the API, byte for byte", async (t) => {
  const gateway = await world(t);
  for (const [argv, path] of [
    [["ps", "-a"], "/v1/containers"],
    [["ps"], "/v1/containers?state=running"],
    [["ps", "-l"], "/v1/containers?limit=1"],
    [["ps", "--last=2"], "/v1/containers?limit=2"],
    [
      ["ps", "-f", "label=app=web", "-p", idOf("a")],
      `/v1/containers?state=running&labelSelector=app%3Dweb&pod=${idOf("a")}`,
    ],
    [["pods"], "/v1/pods"],
    [["pods", "--state=notready"], "/v1/pods?state=notready"],
    [["images"], "/v1/images"],
    [["images", "nginx:1.27"], "/v1/images?image=nginx:1.27"],
  ] as const) {
    const { stdout, stderr } = await runCommand(gateway, [...argv, "-o", "json"]);
    const { text } = await gateway.ask(`GET ${path}`);
    assert.deepEqual([stdout.trimEnd(), stderr], [text.trimEnd(), ""], path);
    assert.ok(stdout.endsWith("}\n") && !stdout.endsWith("\n\n"));
  }
});

test("every format has the same containers", async (t) => {
  const gateway = await world(t);
  const ids = [idOf("2"), idOf("3"), idOf("1")];
  const output = async (...argv: string[]) => (await runCommand(gateway, ["ps", "-a", ...argv])).stdout;
  assert.deepEqual((await output("-q")).split("\n"), [...ids, ""]);
  assert.equal(await output("-o", "name"), "shop/web/log\ndefault/db/postgres\nshop/web/app\n");
  const lines = (await output("-o", "jsonl")).trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).id),
    ids,
  );
  assert.match(await output("-o", "yaml"), new RegExp(`^containers:\n {2}- id: "?${idOf("2")}"?\n`));
  assert.match(await output("-o", "wide"), /^CONTAINER .* ATTEMPT {2}POD ID .* LABELS\n/);
  assert.equal((await runCommand(gateway, ["pods", "-o", "name"])).stdout, "default/db\nshop/web\n");
});

test("an image selects by its name, with or without a tag, and by its id", async (t) => {
  const gateway = await world(t);
  const { at } = await gateway.ask("GET /v1/containers");
  const imageId = String(at("containers.0.imageId"));
  for (const image of ["nginx", "nginx:1.27", "docker.io/library/nginx", imageId, imageId.slice(0, 19)]) {
    const { stdout } = await runCommand(gateway, ["ps", "-q", `--image=${image}`]);
    assert.equal(stdout, `${idOf("2")}\n${idOf("1")}\n`, image);
  }
  const { stdout } = await runCommand(gateway, ["ps", "-o", "json", "-f", "image=nginx", "-n", "1"]);
  const answer = JSON.parse(stdout);
  assert.deepEqual(Object.keys(answer), ["containers"]);
  assert.deepEqual(
    answer.containers.map(({ id }: { id: string }) => id),
    [idOf("2")],
  );
  assert.equal((await runCommand(gateway, ["ps", "-q", "--image=ngin"])).stdout, "");
});

test("images have a line for each tag", async (t) => {
  const gateway = await world(t);
  const { stdout } = await runCommand(gateway, ["images"]);
  assert.match(stdout, /^IMAGE +IMAGE ID +SIZE\n/);
  assert.match(stdout, /^nginx:1\.27 +[0-9a-f]{13} +[\d.]+[kM]?B$/m);
  assert.match((await runCommand(gateway, ["images", "--digests"])).stdout, /^IMAGE +DIGEST +IMAGE ID/);
  const names = (await runCommand(gateway, ["images", "-o", "name"])).stdout;
  assert.match(names, /^docker\.io\/library\/nginx:1\.27$/m);
  assert.equal((await runCommand(gateway, ["images", "-q", "-f", "dangling=true"])).stdout, "");
});

test("names and namespaces select, and what -o name prints is taken by other commands", async (t) => {
  const gateway = await world(t);
  const names = async (...argv: string[]) =>
    (await runCommand(gateway, [...argv, "-o", "name"])).stdout.trimEnd().split("\n");
  const all = ["shop/web/log", "default/db/postgres", "shop/web/app"];
  assert.deepEqual(await names("ps", "-a"), all);
  assert.deepEqual(await names("ps", "-a", "--namespace", "shop"), [all[0], all[2]]);
  assert.deepEqual(await names("ps", "-a", "-f", "name=postgres"), [all[1]]);
  assert.deepEqual(await names("ps", "-p", "web", "--name", "app"), [all[2]]);
  assert.deepEqual(await names("pods", "--namespace", "default"), ["default/db"]);
  assert.deepEqual(await names("pods", "-f", "name=web"), ["shop/web"]);
  const inspected = JSON.parse((await runCommand(gateway, ["inspect", ...all])).stdout);
  assert.deepEqual(
    inspected.map(({ status }: { status: { id: string } }) => status.id),
    [idOf("2"), idOf("3"), idOf("1")],
  );
  assert.equal((await runCommand(gateway, ["wait", "db/postgres"])).stdout, "0\n");
  assert.equal(JSON.parse((await runCommand(gateway, ["inspectp", "web"])).stdout).status.id, idOf("a"));
  assert.match((await runCommand(gateway, ["ps", "--name="])).stderr, /^crest: Invalid name/);
});

test("images selects by a name with a tag, all tags of a name, and the beginning of an id", async (t) => {
  const gateway = await world(t);
  const names = async (...argv: string[]) =>
    (await runCommand(gateway, ["images", "-o", "name", ...argv])).stdout.trimEnd().split("\n");
  gateway.fake.addImage({ tags: ["docker.io/library/nginx:1.28", "registry.example/nginx:1"] });
  const all = ["docker.io/library/nginx:1.27", "docker.io/library/nginx:1.28"];
  assert.deepEqual(await names("nginx"), all);
  assert.deepEqual(await names("docker.io/library/nginx"), all);
  assert.deepEqual(await names("nginx:1.27"), all.slice(0, 1));
  assert.deepEqual(await names("registry.example/nginx"), ["registry.example/nginx:1"]);
  assert.deepEqual(await names("ngin"), [""]);
  const [id = ""] = (await runCommand(gateway, ["images", "-q", "nginx:1.27"])).stdout.split("\n");
  assert.deepEqual(await names(id.replace("sha256:", "").slice(0, 12)), all.slice(0, 1));
});

test("a caller with a scope sees what is in it, and the rest is absent", async (t) => {
  const gateway = await liveGateway(t, manner, {
    grants: { all: false, allow: { read: ["shop/*" as never] }, deny: {} },
  });
  const { fake } = gateway;
  const web = fake.addPod({ name: "web", namespace: "shop" });
  fake.addContainer({ pod: web, name: "app" });
  const secret = fake.addContainer({ pod: fake.addPod({ name: "vault", namespace: "bank" }), name: "key" });
  for (const argv of [
    ["ps", "-a"],
    ["pods"],
    ["events"],
    ["stats"],
    ["ps", "-o", "json"],
    ["ps", "-o", "wide"],
  ]) {
    const { code, stdout } = await runCommand(gateway, argv);
    assert.equal(code, 0, argv.join(" "));
    assert.match(stdout, /web|app/);
    assert.doesNotMatch(stdout, new RegExp(`vault|bank|key|${secret.id}|${secret.podId}`), argv.join(" "));
  }
  for (const argv of [["inspect"], ["wait"], ["post-mortem"], ["stats"], ["inspect", "-o", "yaml"]]) {
    const { code, stdout, stderr } = await runCommand(gateway, [...argv, secret.id]);
    assert.deepEqual([code, stdout], [1, ""], argv.join(" "));
    assert.match(stderr, /^crest: Cannot find container /);
  }
});

test("empty lists have a heading, and nothing in the other formats", async (t) => {
  const gateway = await liveGateway(t, manner);
  const output = async (...argv: string[]) => (await runCommand(gateway, argv)).stdout;
  assert.equal(await output("ps"), "CONTAINER  NAME  POD  IMAGE  STATE  AGE\n");
  assert.equal(await output("pods"), "POD ID  POD  STATE  AGE\n");
  for (const format of ["jsonl", "name"]) assert.equal(await output("ps", "-o", format), "");
  assert.equal(await output("pods", "-q"), "");
  assert.equal(await output("ps", "-o", "yaml"), "containers: []\n");
});

test("filters that do not exist are answered with the nearest", async () => {
  const gateway = { port: 9 };
  const refusal = async (...argv: string[]) => {
    const { code, stdout, stderr } = await runCommand(gateway, argv);
    assert.deepEqual([code, stdout], [1, ""]);
    return stderr;
  };
  assert.equal(await refusal("ps", "-f", "stat=running"), "crest: -f stat=running: did you mean state?\n");
  assert.equal(
    await refusal("ps", "--filter", "state"),
    "crest: --filter state: write KEY=VALUE, such as id=VALUE\n",
  );
  assert.equal(await refusal("ps", "-f", "state=runing"), "crest: --state=runing: did you mean running?\n");
  assert.match(
    await refusal("ps", "-s", "exited", "-f", "state=created"),
    /another value for state, write one/,
  );
  assert.match(await refusal("pods", "-f", "image=x"), /expected id, name, namespace, state, label/);
  assert.match(await refusal("ps", "-n", "many"), /--last=many: write a whole number/);
  assert.match(await refusal("ps", `--filter=${"x".repeat(65_536)}=1`), /expected id, name/);
});

test("a kubelet's containers need one request, others two, and ids one", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake, requests } = gateway;
  fake.addContainer({
    name: "app",
    labels: { "io.kubernetes.pod.name": "web-0", "io.kubernetes.pod.namespace": "prod" },
  });
  assert.match((await runCommand(gateway, ["ps"])).stdout, / prod\/web-0 /);
  assert.equal(requests.length, 1);
  fake.addContainer({ name: "other" });
  await runCommand(gateway, ["ps", "-q"]);
  assert.equal(requests.length, 2);
  await runCommand(gateway, ["ps"]);
  assert.equal(requests.length, 4);
});

test("a caller who may not list pods sees their ids", async (t) => {
  const gateway = await liveGateway(t, manner, {
    grants: { all: false, allow: { read: ["containers"] }, deny: {} },
  });
  const { podId } = gateway.fake.addContainer({ name: "app" });
  const { code, stdout } = await runCommand(gateway, ["ps"]);
  assert.equal(code, 0);
  assert.ok(stdout.includes(`  ${podId.slice(0, 13)}  `), stdout);
  const pods = await runCommand(gateway, ["pods"]);
  assert.deepEqual([pods.code, pods.stdout], [1, ""]);
  assert.match(pods.stderr, /^crest: Requires read access, run again with --allow-read=pods\n$/);
});
