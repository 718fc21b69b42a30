/** `crest start`, `stop`, `rm`, `stopp`, `rmp` and `rmi` against a gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGateway } from "./live-gateway.ts";
import { runCommand } from "./run-command.ts";

const manner = "containerd-2.1";
const managed = { "crest/managed": "true" };
const idOf = (digit: string): string => digit.repeat(64);

test("start and stop take several, print each, and tell what fails", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  const pod = fake.addPod({ labels: managed });
  fake.addContainer({ pod, id: idOf("1"), state: "created" });
  fake.addContainer({ pod, id: idOf("2"), state: "created" });
  const started = await runCommand(gateway, ["start", "111", "999", "222", "111"]);
  assert.equal(started.code, 1);
  assert.equal(started.stdout, "111\n222\n");
  assert.match(started.stderr, /^crest: .*"999".*\n$/);
  const stopped = await runCommand(gateway, ["stop", "-t", "3", "111", "222"]);
  assert.deepEqual(stopped, { code: 0, stdout: "111\n222\n", stderr: "" });
  const timeouts = fake.callsOf("RuntimeService/StopContainer").map(({ request }) => request);
  assert.deepEqual(new Set(timeouts.map((one) => JSON.parse(JSON.stringify(one)).timeout)), new Set(["3"]));
});

test("a number that is none is refused before anything is sent", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { code, stderr } = await runCommand(gateway, ["stop", "--timeout=soon", "web"]);
  assert.deepEqual([code, stderr], [1, "crest: --timeout=soon: write a whole number such as --timeout=10\n"]);
  assert.equal(gateway.requests.length, 0);
});

test("names that cannot be part of a path are refused, and the others are done", async (t) => {
  const gateway = await liveGateway(t, manner);
  const pod = gateway.fake.addPod({ labels: managed });
  gateway.fake.addContainer({ pod, id: idOf("1"), state: "created" });
  const { code, stdout, stderr } = await runCommand(gateway, ["start", "..", "", "111"]);
  assert.deepEqual([code, stdout], [1, "111\n"]);
  assert.equal(stderr, 'crest: "..": expected an id or a name\ncrest: "": expected an id or a name\n');
});

test("rm leaves a running container unless it is forced", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  const pod = fake.addPod({ labels: managed });
  fake.addContainer({ pod, id: idOf("1") });
  fake.addContainer({ pod, id: idOf("2"), state: "exited" });
  const first = await runCommand(gateway, ["rm", "111", "222"]);
  assert.deepEqual([first.code, first.stdout], [1, "222\n"]);
  assert.equal(first.stderr, 'crest: The container "111" is running: stop it first, or write --force\n');
  assert.deepEqual(await runCommand(gateway, ["rm", "-f", "111"]), { code: 0, stdout: "111\n", stderr: "" });
  assert.equal(fake.containers.size, 0);
});

test("rm --all removes what has ended, in pods that Crest created", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  const ours = fake.addPod({ labels: managed });
  const other = fake.addPod({});
  fake.addContainer({ pod: ours, id: idOf("1") });
  fake.addContainer({ pod: ours, id: idOf("2"), state: "exited" });
  fake.addContainer({ pod: other, id: idOf("3"), state: "exited" });
  assert.deepEqual(await runCommand(gateway, ["rm", "-a"]), {
    code: 0,
    stdout: `${idOf("2")}\n`,
    stderr: "crest: 1 running container left: --force removes them as well\n",
  });
  const forced = await runCommand(gateway, ["rm", "-a", "-f"]);
  assert.deepEqual([forced.code, forced.stdout], [0, `${idOf("1")}\n`]);
  assert.deepEqual([...fake.containers.keys()], [idOf("3")]);
  const rest = await runCommand(gateway, ["rm", "-a", "--unmanaged"]);
  assert.deepEqual([rest.code, rest.stdout], [0, `${idOf("3")}\n`]);
});

test("rmp and stopp do the same to pods", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  for (const digit of ["a", "b", "c"]) fake.addPod({ id: idOf(digit), labels: managed });
  const refused = await runCommand(gateway, ["rmp", "aaa"]);
  assert.equal(refused.stderr, 'crest: The pod "aaa" is running: stop it first, or write --force\n');
  assert.equal((await runCommand(gateway, ["stopp", "-t", "1", "aaa", "bbb"])).stdout, "aaa\nbbb\n");
  assert.equal((await runCommand(gateway, ["rmp", "aaa"])).code, 0);
  const all = await runCommand(gateway, ["rmp", "--all"]);
  assert.deepEqual([all.code, all.stdout], [0, `${idOf("b")}\n`]);
  assert.equal((await runCommand(gateway, ["rmp", "--all", "--force"])).stdout, `${idOf("c")}\n`);
  assert.equal(fake.pods.size, 0);
});

test("rm and rmp want names or --all", async (t) => {
  const gateway = await liveGateway(t, manner);
  for (const argv of [["rm"], ["rmp"], ["rm", "-a", "x"]]) {
    const { code, stderr } = await runCommand(gateway, argv);
    assert.equal(code, 1);
    assert.match(stderr, /^crest: crest rmp?: name (containers|pods), or write --all, and not both\n$/);
  }
});

test("rmi prints the names that went, and leaves images in use", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { fake } = gateway;
  fake.addImage({ tags: ["quay.io/team/one:1"] });
  fake.addContainer({ image: "quay.io/team/used:1" });
  const { code, stdout, stderr } = await runCommand(gateway, [
    "rmi",
    "quay.io/team/one:1",
    "quay.io/team/used:1",
    "quay.io/team/none:1",
  ]);
  assert.deepEqual([code, stdout], [1, "quay.io/team/one:1\n"]);
  assert.match(stderr, /^crest: .*used:1.*\ncrest: .*none:1.*\n$/);
  assert.match((await runCommand(gateway, ["rmi"])).stderr, /name images, or write --all or --prune/);
});

test("rmi --prune removes what nothing uses", async (t) => {
  const gateway = await liveGateway(t, manner);
  gateway.fake.addContainer({ image: "quay.io/team/used:1" });
  gateway.fake.addImage({ tags: ["quay.io/team/free:1"] });
  const before = gateway.fake.images.size;
  const dry = await runCommand(gateway, ["rmi", "--prune", "--dry-run"]);
  assert.match(dry.stdout, /^quay\.io\/team\/free:1$/m);
  assert.doesNotMatch(dry.stdout, /used/);
  assert.equal(gateway.fake.images.size, before);
  assert.deepEqual(await runCommand(gateway, ["rmi", "-q"]), dry);
  assert.equal((await runCommand(gateway, ["rmi", "-q"])).stdout, "");
});

test("--show-curl prints a request for each name, and sends none", async (t) => {
  const gateway = await liveGateway(t, manner);
  const { code, stdout } = await runCommand(gateway, ["rm", "a", "b", "--show-curl"]);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^curl .* -X DELETE \S+\/v1\/containers\/a'?\ncurl .* -X DELETE \S+\/v1\/containers\/b'?\n$/,
  );
  assert.equal(gateway.requests.length, 0);
});
