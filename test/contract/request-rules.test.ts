/** What cannot be right on any node: 400 on every runtime, before the runtime is asked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mannerNames } from "../support/fake-runtime.ts";
import { liveGateway } from "./live-gateway.ts";
import {
  app,
  createAndStart,
  done,
  invalidAt,
  made,
  runPod,
  type Situation,
  testEverywhere,
  web,
} from "./situations.ts";

const resources = (limits: object) => ({ linux: { resources: limits } });
const security = (securityContext: object) => ({ linux: { securityContext } });

const twice = (one: object, other: object) => ({
  ...web,
  portMappings: [
    { containerPort: 80, hostPort: 8080, ...one },
    { containerPort: 81, hostPort: 8080, ...other },
  ],
});
const onHost = (snake = false) => {
  const namespaces = snake
    ? { namespace_options: { network: "NODE" } }
    : { namespaceOptions: { network: "NODE" } };
  return { linux: snake ? { security_context: namespaces } : { securityContext: namespaces } };
};

testEverywhere("mistakes that no node can do", [
  {
    situation: "a hostname with the node's network",
    run: runPod({ ...web, hostname: "web", ...onHost() }),
    ...invalidAt("/hostname"),
  },
  {
    situation: "the same in the spelling of the proto file",
    run: runPod({ ...web, hostname: "web", ...onHost(true) }),
    ...invalidAt("/hostname"),
  },
  { situation: "the node's network without a hostname", run: runPod({ ...web, ...onHost() }), ...made },
  {
    situation: "a hostIp that is no address",
    run: runPod(twice({ hostIp: "localhost" }, { hostPort: 8081 })),
    ...invalidAt("/portMappings/0/hostIp"),
  },
  {
    situation: "a hostIp with a zone",
    run: runPod(twice({ hostIp: "fe80::1%eth0" }, { hostPort: 8081 })),
    ...invalidAt("/portMappings/0/hostIp"),
  },
  {
    situation: "one port of the node twice",
    run: runPod(twice({}, {})),
    ...invalidAt("/portMappings/1/hostPort"),
  },
  {
    situation: "one port of the node twice, once by name of the protocol",
    run: runPod(twice({ protocol: "TCP" }, {})),
    ...invalidAt("/portMappings/1/hostPort"),
  },
  {
    situation: "one port of the node on all addresses and on one",
    run: runPod(twice({ hostIp: "0.0.0.0" }, { hostIp: "127.0.0.1" })),
    ...invalidAt("/portMappings/1/hostPort"),
  },
  {
    situation: "one port of the node in two protocols",
    run: runPod(twice({}, { protocol: "UDP" })),
    ...made,
  },
  {
    situation: "one port of the node on two addresses",
    run: runPod(twice({ hostIp: "127.0.0.1" }, { hostIp: "127.0.0.2" })),
    ...made,
  },
  {
    situation: "one port of the node for each family of addresses",
    run: runPod(twice({ hostIp: "0.0.0.0" }, { hostIp: "::1" })),
    ...made,
  },
  {
    situation: "ports without one of the node",
    run: runPod(twice({ hostPort: 0 }, { hostPort: 0 })),
    ...made,
  },
  ...["addCapabilities", "dropCapabilities", "addAmbientCapabilities"].map(
    (list): Situation => ({
      situation: `${list} with a name that Linux does not have`,
      run: createAndStart(security({ capabilities: { [list]: ["CAP_CHOWN", "NET_ADMIM"] } })),
      ...invalidAt(`/linux/securityContext/capabilities/${list}/1`),
    }),
  ),
  {
    situation: "a CPU period that the kernel does not take",
    run: createAndStart(resources({ cpuPeriod: "999" })),
    ...invalidAt("/linux/resources/cpuPeriod"),
  },
  {
    situation: "a CPU quota that the kernel does not take",
    run: createAndStart(resources({ cpuQuota: "999" })),
    ...invalidAt("/linux/resources/cpuQuota"),
  },
  {
    situation: "no limit of the CPU",
    run: createAndStart(resources({ cpuPeriod: "100000", cpuQuota: "-1" })),
    ...done,
  },
]);

test("capabilities reach every runtime by the names that all of them read", async (t) => {
  for (const manner of mannerNames) {
    const { ask, fake } = await liveGateway(t, manner);
    const pod = fake.addPod();
    const capabilities = {
      addCapabilities: ["cap_net_admin", "CAP_SYS_ADMIN"],
      dropCapabilities: ["chown", "CAP_CHOWN", "all"],
    };
    const answer = await ask(`POST /v1/pods/${pod.id}/containers`, { ...app, ...security({ capabilities }) });
    assert.equal(answer.status, 201, answer.text);
    const [container] = [...fake.containers.values()];
    const sent = container?.config.linux?.securityContext?.capabilities;
    assert.deepEqual(sent?.addCapabilities, ["NET_ADMIN", "SYS_ADMIN"], manner);
    assert.deepEqual(sent?.dropCapabilities, ["CHOWN", "CHOWN", "ALL"], manner);
  }
});
