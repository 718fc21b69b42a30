/** What is asked of a container while something else is being done to it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FakeContainer } from "../support/fake-runtime.ts";
import { liveGateway } from "./live-gateway.ts";
import {
  containerd,
  containerIn,
  echo,
  notRunning,
  remove,
  removePod,
  type Situation,
  start,
  stateChanging,
  testEverywhere,
  update,
} from "./situations.ts";

type Then = Parameters<typeof containerIn>[1];

/** A container whose state is the one before the change. */
const during = (
  change: FakeContainer["change"],
  state: "created" | "running",
  then: Then,
): Situation["run"] =>
  containerIn(state, async (gateway, container) => {
    container.change = change;
    const answer = await then(gateway, container);
    container.change = undefined;
    return answer;
  });

const removesAlone = [...containerd, "cri-dockerd"] as const;

testEverywhere("changes under way", [
  {
    situation: "start what is starting",
    run: during("starting", "created", start),
    ...stateChanging,
    only: containerd,
  },
  {
    situation: "start what is being removed",
    run: during("removing", "created", start),
    ...stateChanging,
    only: removesAlone,
  },
  {
    situation: "remove what is starting",
    run: during("starting", "created", remove),
    ...stateChanging,
    only: containerd,
  },
  {
    situation: "remove what is being removed",
    run: during("removing", "created", remove),
    ...stateChanging,
    only: removesAlone,
  },
  {
    situation: "remove the pod of what is being removed",
    run: during("removing", "created", (gateway, { podId }) => removePod(gateway, { id: podId })),
    ...stateChanging,
    only: removesAlone,
  },
  {
    situation: "change the resources of what is being removed",
    run: during("removing", "created", update),
    ...stateChanging,
    only: removesAlone,
  },
  { situation: "exec in what is being stopped", run: during("stopping", "running", echo), ...notRunning },
]);

test("a change under way is retryable, and the same request succeeds afterwards", async (t) => {
  const gateway = await liveGateway(t, "containerd-2.1");
  const container = gateway.fake.addContainer({ state: "created" });
  container.change = "starting";
  const refused = await remove(gateway, container);
  assert.deepEqual([refused.status, refused.at("retryable")], [409, true]);
  container.change = undefined;
  assert.equal((await remove(gateway, container)).status, 204);
});
