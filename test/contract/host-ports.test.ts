/** Host ports: one pod has one, on every runtime, also where the runtime itself would share it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failing, held, type MannerName, mannerNames } from "../support/fake-runtime.ts";
import { type Answer, type LiveGateway, liveGateway } from "./live-gateway.ts";
import { containerd } from "./situations.ts";

interface Mapping {
  readonly hostPort: number;
  readonly containerPort?: number;
  readonly protocol?: string;
  readonly hostIp?: string;
}

const run = ({ ask }: LiveGateway, name: string, ...mappings: readonly Mapping[]): Promise<Answer> =>
  ask("POST /v1/pods", {
    metadata: { name, uid: `u-${name}` },
    portMappings: mappings.map((mapping) => ({ containerPort: 80, ...mapping })),
  });

function assertMade(answer: Answer): string {
  assert.equal(answer.status, 201, answer.text);
  return String(answer.at("podSandboxId"));
}

function assertInUse(answer: Answer, pointer: string): string {
  assert.equal(answer.status, 409, answer.text);
  assert.equal(answer.at("code"), "port_in_use", answer.text);
  assert.equal(answer.at("errors.0.pointer"), pointer);
  assert.equal(answer.at("errors.1"), undefined);
  return String(answer.at("detail"));
}

const refusing: readonly MannerName[] = mannerNames.filter((manner) => !containerd.includes(manner));

for (const manner of mannerNames) {
  test(`runPod: a host port of another pod is 409, which names the pod, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const id = assertMade(await run(gateway, "one", { hostPort: 8080 }));
    const refused = await run(gateway, "two", { hostPort: 8081 }, { hostPort: 8080, containerPort: 81 });
    const detail = assertInUse(refused, "/portMappings/1/hostPort");
    assert.equal(
      detail,
      `Cannot create pod "two": host port 8080 (TCP) is in use by pod "${id}", named "one"`,
    );
    assert.equal(refused.at("retryable"), false);
    assert.deepEqual([...gateway.fake.pods.keys()], [id]);
    assert.equal(gateway.fake.callsOf("RuntimeService/RunPodSandbox").length, 1);
  });

  test(`runPod: only the same protocol on a common address is in use on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    assertMade(await run(gateway, "one", { hostPort: 53, hostIp: "192.0.2.1" }));
    const free: readonly Mapping[] = [
      { hostPort: 53, hostIp: "192.0.2.1", protocol: "UDP" },
      { hostPort: 53, hostIp: "192.0.2.2" },
      { hostPort: 53, hostIp: "2001:db8::1" },
      { hostPort: 54, hostIp: "192.0.2.1" },
      { hostPort: 0 },
      { hostPort: 0 },
    ];
    for (const [index, mapping] of free.entries()) assertMade(await run(gateway, `free-${index}`, mapping));
    const taken: readonly Mapping[] = [
      { hostPort: 53 },
      { hostPort: 53, hostIp: "0.0.0.0" },
      { hostPort: 53, hostIp: "192.0.2.1" },
      { hostPort: 53, protocol: "UDP" },
    ];
    for (const mapping of taken)
      assertInUse(await run(gateway, "taken", mapping), "/portMappings/0/hostPort");
    assert.equal(gateway.fake.pods.size, 1 + free.length);
  });

  test(`runPod: a pod that is stopped or removed gives its host port back on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const one = assertMade(await run(gateway, "one", { hostPort: 8080 }));
    assert.equal((await gateway.ask(`POST /v1/pods/${one}/stop`)).status, 204);
    const two = assertMade(await run(gateway, "two", { hostPort: 8080 }));
    assertInUse(await run(gateway, "three", { hostPort: 8080 }), "/portMappings/0/hostPort");
    assert.equal((await gateway.ask(`DELETE /v1/pods/${two}`)).status, 204);
    assertMade(await run(gateway, "three", { hostPort: 8080 }));
  });

  test(`runPod: one of four concurrent pods with a host port is run on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const names = ["one", "two", "three", "four"];
    const answers = await Promise.all(names.map((name) => run(gateway, name, { hostPort: 8080 })));
    const refused = answers.filter(({ status }) => status !== 201);
    assert.equal(refused.length, 3);
    for (const answer of refused) assertInUse(answer, "/portMappings/0/hostPort");
    assert.equal(gateway.fake.pods.size, 1);
  });

  test(`runPod: a pod that has the name too is named by its name on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const again = () => run(gateway, "one", { hostPort: 8080 });
    const answers = [...(await Promise.all([again(), again()])), await again()];
    const codes = answers.map((answer) => answer.at("code") ?? answer.status);
    assert.deepEqual(codes.sort(), [201, "name_reserved", "name_reserved"]);
  });

  test(`runPod: a pod with the node's network has no host ports on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const onNode = (name: string) =>
      gateway.ask("POST /v1/pods", {
        metadata: { name },
        portMappings: [{ containerPort: 80, hostPort: 8080 }],
        linux: { securityContext: { namespaceOptions: { network: "NODE" } } },
      });
    assertMade(await onNode("one"));
    assertMade(await run(gateway, "two", { hostPort: 8080 }));
    assertMade(await onNode("three"));
  });
}

for (const manner of containerd) {
  test(`runPod: a host port of another client's pod is 409 on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const config = { portMappings: [{ containerPort: 80, hostPort: 8080, protocol: "UDP" }] };
    const { id } = gateway.fake.addPod({ name: "theirs", config });
    const refused = await run(gateway, "ours", { hostPort: 8080, protocol: "UDP" });
    const detail = assertInUse(refused, "/portMappings/0/hostPort");
    assert.match(detail, new RegExp(`host port 8080 \\(UDP\\) is in use by pod "${id}", named "theirs"$`));
  });
}

for (const manner of refusing) {
  test(`runPod: a host port that the runtime finds in use is 409 on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    const { id } = gateway.fake.addPod({
      config: { portMappings: [{ containerPort: 80, hostPort: 8080 }] },
    });
    gateway.fake.listenOnNode(8081);
    for (const hostPort of [8080, 8081]) {
      const other = { hostPort: 80, containerPort: 443 };
      const refused = await run(gateway, "web-80", other, { hostPort, containerPort: 80 });
      const detail = assertInUse(refused, "/portMappings/1/hostPort");
      assert.match(detail, new RegExp(`${hostPort}.*(address already in use|port is already allocated)`));
      assert.equal(refused.at("grpcCode"), "UNKNOWN");
      assert.deepEqual([...gateway.fake.pods.keys()], [id]);
    }
  });
}

test("runPod: a host port is in use while its pod is made, and free when that fails", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const slow = held();
    gateway.fake.on("RuntimeService/RunPodSandbox", slow.answer, { once: true });
    const first = run(gateway, "one", { hostPort: 8080 });
    await slow.arrived;
    const detail = assertInUse(await run(gateway, "two", { hostPort: 8080 }), "/portMappings/0/hostPort");
    assert.match(detail, /is in use by a pod that is being created$/);
    assertMade(await run(gateway, "three", { hostPort: 8081 }));
    slow.release();
    assertMade(await first);
    gateway.fake.on("RuntimeService/RunPodSandbox", failing(2, "out of luck"), { once: true });
    assert.equal((await run(gateway, "four", { hostPort: 8082 })).status, 502);
    assertMade(await run(gateway, "five", { hostPort: 8082 }));
  }
});

test("runPod: a host port in use is pointed to as the caller spells it", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    const mapping = { container_port: 80, host_port: 8080 };
    const body = (name: string) => ({ metadata: { name }, port_mappings: [mapping] });
    assertMade(await gateway.ask("POST /v1/pods", body("one")));
    assertInUse(await gateway.ask("POST /v1/pods", body("two")), "/port_mappings/0/host_port");
  }
});

test("runPod: a pod whose ports cannot be read keeps no other from running", async (t) => {
  for (const manner of containerd) {
    const gateway = await liveGateway(t, manner);
    assertMade(await run(gateway, "one", { hostPort: 8080 }));
    gateway.fake.on("RuntimeService/PodSandboxStatus", failing(2, "no such luck"));
    assertMade(await run(gateway, "two", { hostPort: 8081 }));
  }
});

test("runPod: without a host port, no pod is read before the run", async (t) => {
  for (const manner of containerd) {
    const gateway = await liveGateway(t, manner);
    gateway.fake.addPod();
    assertMade(await run(gateway, "one", { hostPort: 0 }));
    assert.equal(gateway.fake.callsOf("RuntimeService/ListPodSandbox").length, 0);
    assert.equal(gateway.fake.callsOf("RuntimeService/PodSandboxStatus").length, 0);
  }
});
