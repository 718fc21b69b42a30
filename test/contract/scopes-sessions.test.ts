/** Sessions of a caller that may use some pods and ports only. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GrantSet } from "../../src/grants.ts";
import { eventually } from "../support/eventually.ts";
import { echo, ports } from "../support/spdy-behaviours.ts";
import { type Refused, sessionGateway, v4 } from "../support/spdy-gateway.ts";
import { absentId } from "./situations.ts";

/** The gateway's own pod is in the namespace `default`. */
const scoped = (allow: GrantSet, deny: GrantSet = {}) => ({ grants: { all: false, allow, deny } });

test("ports are forwarded if the scope has each of them, raw or not", async (t) => {
  const gateway = await sessionGateway(
    t,
    scoped({ forward: ["default/*:80,8000-8010"] }, { forward: ["*/*:8005"] }),
  );
  gateway.streams.behaviour = ports(Object.fromEntries([80, 8000].map((port) => [port, echo])));
  const path = `${gateway.pod}/portforward`;
  const client = gateway.open(`${path}?ports=80&ports=8000`, { subprotocols: [v4] });
  await client.opened;
  await client.send(0, "to 80");
  await eventually(() => client.bytes(0).toString().endsWith("to 80"));
  const raw = gateway.open(`${path}?ports=80&raw=true`, { subprotocols: [], raw: true });
  await raw.opened;
  const calls = gateway.fake.callsOf("RuntimeService/PortForward").length;
  for (const [query, port] of [
    ["ports=81", 81],
    ["ports=80&ports=8011", 8011],
    ["ports=80&ports=8005", 8005],
    ["ports=22&raw=true", 22],
  ] as const) {
    const refused = await gateway.refusal(`${path}?${query}`, { subprotocols: [v4] });
    assert.equal(refused.status, 403, query);
    assert.match(String(refused.problem.resource), new RegExp(`^default/pod-\\d+:${port}$`));
  }
  assert.equal(gateway.fake.callsOf("RuntimeService/PortForward").length, calls);
});

test("a session in a pod out of scope is refused as one in a pod that does not exist", async (t) => {
  const gateway = await sessionGateway(t, scoped({ exec: ["default/*"], forward: ["default/*:80"] }));
  const { fake } = gateway;
  const hidden = fake.addContainer({ state: "running", pod: fake.addPod({ namespace: "other" }) });
  const client = gateway.open(`${gateway.container}/exec?command=true`);
  await client.opened;
  for (const [path, id] of [
    ["containers/ID/exec?command=true", hidden.id],
    ["containers/ID/attach", hidden.id],
    ["pods/ID/portforward?ports=80", hidden.podId],
    ["pods/ID/portforward?ports=80&raw=true", hidden.podId],
  ] as const) {
    const [ofHidden, ofAbsent] = await Promise.all(
      [id, absentId].map((one) => gateway.refusal(`/v1/${path.replace("ID", one)}`, { subprotocols: [v4] })),
    );
    assert.equal(ofHidden?.status, 404);
    const plain = (refused: Refused | undefined, one: string): string =>
      JSON.stringify({ ...refused?.problem, requestId: "" }).replaceAll(one, "ID");
    assert.equal(plain(ofHidden, id), plain(ofAbsent, absentId));
  }
});
