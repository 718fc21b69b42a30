import assert from "node:assert/strict";
import { test } from "node:test";
import { createStory, examples, type Story } from "../support/examples.ts";

const places = { "docker.io/library/nginx": "127.0.0.1:5000/library/nginx", "/var/lib/crest": "/tmp/folder" };
const pod = "a".repeat(64);

/** An answer that the example of an operation could be, with some texts replaced. */
function said(id: string, replacements: { readonly [text: string]: string } = {}) {
  const { status = 0, answer, location } = examples.get(id) ?? {};
  const put = (text: string): string =>
    Object.entries({ ...places, ...replacements }).reduce(
      (all, [from, to]) => all.replaceAll(from, to),
      text,
    );
  return {
    status,
    text: answer === undefined ? "" : put(JSON.stringify(answer)),
    headers: location === undefined ? {} : { location: put(location) },
  };
}

const example = { pod: "e21d3d7330166eb75a35888abe2006c8b2baff743281269a89a0e3be419abdd7" };
const fails = (story: Story, id: string, answer: ReturnType<typeof said>, why: RegExp): void =>
  assert.throws(() => story.hold(id, answer), { name: "AssertionError", message: why });

test("every example is an answer to itself", () => {
  const story = createStory({ places });
  for (const id of examples.keys()) story.hold(id, said(id));
});

test("a request has the example's values, with what stands for them here", () => {
  const story = createStory({ places });
  story.hold("runPod", said("runPod", { [example.pod]: pod }));
  const { method, target, body } = story.request("createContainer");
  assert.deepEqual([method, target], ["POST", `/v1/pods/${pod}/containers`]);
  assert.deepEqual((body as { image: object }).image, { image: "busybox:latest" });
  assert.equal(
    story.request("listImages").target,
    "/v1/images?image=127.0.0.1%3A5000%2Flibrary%2Fnginx%3A1.27&limit=10",
  );
  assert.equal(
    story.request("execContainer").target.replace(/[0-9a-f]{64}/, "ID"),
    "/v1/containers/ID/exec?command=ls&command=-l&command=%2F",
  );
});

test("times and measured numbers may be others", () => {
  const story = createStory({ places });
  story.hold("getPodStats", said("getPodStats", { '"18071552"': '"7"', "1795462425097318790": "0" }));
  fails(story, "getPodStats", said("getPodStats", { '"18071552"': '"many"' }), /workingSetBytes\/value/);
});

test("an id is the same wherever the example has it twice", () => {
  const story = createStory({ places });
  story.hold("runPod", said("runPod", { [example.pod]: pod }));
  story.hold("listPods", said("listPods", { [example.pod]: pod }));
  fails(story, "getPod", said("getPod", { [example.pod]: "b".repeat(64) }), /one that it had before/);
});

test("a stale example fails: another value, a member more or less, another length, status or Location", () => {
  const story = createStory({ places });
  const stale = (id: string, replacements: { readonly [text: string]: string }, why: RegExp): void =>
    fails(story, id, said(id, replacements), why);
  stale("getPod", { SANDBOX_READY: "SANDBOX_NOTREADY" }, /getPod\/status\/state/);
  stale("getPod", { '"namespace"': '"nameSpace"' }, /other members/);
  stale("getPod", { '"info":{}': '"info":{},"more":1' }, /other members/);
  stale("getPod", { ',"timestamp":"0"': "" }, /other members/);
  stale("getRuntimeStatus", { '"conditions":[': '"conditions":[{},' }, /conditions/);
  stale("execSync", { '"exitCode":0': '"exitCode":1' }, /exitCode/);
  stale("execSync", { '"exitCode":0': '"exitCode":"0"' }, /exitCode/);
  stale("getGrants", { "read:pods": "read:pod" }, /grants lacks/);
  stale("getImage", { "127.0.0.1:5000": "127.0.0.1:5001" }, /repoTags/);
  fails(story, "getPod", { ...said("getPod"), status: 404 }, /getPod/);
  fails(story, "stopPod", { ...said("stopPod"), text: "{}" }, /stopPod/);
  fails(story, "runPod", { ...said("runPod"), headers: { location: "/v1/pods/1" } }, /Location/);
});

test("by shape a newer runtime may say more, and nothing less", () => {
  const story = createStory({ places, by: "shape" });
  story.hold("getPod", said("getPod", { '"info":{}': '"info":{"a":"b"},"more":1' }));
  fails(story, "getPod", said("getPod", { ',"timestamp":"0"': "" }), /other members/);
  fails(story, "getPod", said("getPod", { '"attempt":0': '"attempt":"0"' }), /attempt/);
});
