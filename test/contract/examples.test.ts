/**
 * Examples of the published document: each operation has one that fits its schemas, and those of what no real
 * runtime here can do run on the fake one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { refusedBodies } from "../../src/codegen/openapi/refusal-example.ts";
import type { Rpc } from "../../src/gen/methods.ts";
import { routes } from "../../src/routes/index.ts";
import { checkValue } from "../support/document.ts";
import { createStory, examples, onContainerd, onFake, successOf } from "../support/examples.ts";
import { operationsOf, publishedDocument } from "../support/openapi-document.ts";
import { managed, rpcsOf } from "./table-cases.ts";
import { createGateway, exactly } from "./table-gateway.ts";
import { type Message, responseBytes } from "./table-messages.ts";

test("every operation has an example of all that it takes and answers, and it fits", async (t) => {
  const published = operationsOf(publishedDocument());
  assert.ok(published.length > 30);
  for (const operation of published) {
    await t.test(operation.operationId, () => {
      const example = examples.get(operation.operationId);
      assert.ok(example);
      const { path, parameters = [], requestBody } = operation;
      const [, success] = successOf(operation);
      const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name);
      const shown = example.parameters.map(({ name }) => name);
      for (const name of inPath)
        assert.ok(name !== undefined && shown.includes(name), `no example of ${name}`);
      // Every body has it, and needs it seldom.
      const usual = parameters.filter(({ name }) => name !== "fieldValidation");
      if (usual.length > inPath.length && !/^(get|execSync)/.test(operation.operationId))
        assert.ok(shown.length > inPath.length, "no example of a query");
      for (const { name, schema, example: value } of parameters)
        if (value !== undefined) checkValue(`${name} of the example`, schema, value);

      const sent = requestBody?.content["application/json"];
      assert.equal(example.body === undefined, sent === undefined, "the body of the request");
      if (sent) checkValue("the example's body", sent.schema, example.body);

      const answered = success.content?.["application/json"];
      assert.equal(example.answer === undefined, answered === undefined, "the body of the answer");
      if (answered) checkValue("the example's answer", answered.schema, example.answer);
      assert.equal(example.location === undefined, success.headers?.Location === undefined, "Location");
      assert.equal(example.subprotocol === undefined, example.status !== 101, "the subprotocol");
    });
  }
});

test("the example of a refusal is what a gateway answers", async (t) => {
  const gateway = await createGateway("containerd-2.1");
  t.after(() => gateway.close());
  const app = gateway.open(exactly(["run"]));
  const pod = gateway.fake.addPod({ labels: managed });
  const shown = operationsOf(publishedDocument()).flatMap(({ operationId, method, path, responses }) => {
    const example = responses["403"]?.content?.["application/problem+json"]?.example;
    const target = `${method} ${path}`;
    return example === undefined ? [] : [{ operationId, target, example: example as Message }];
  });
  assert.deepEqual(shown.map(({ operationId }) => operationId).sort(), Object.keys(refusedBodies).sort());
  for (const { operationId, target, example } of shown) {
    const answer = await app.ask(target.replace("{podSandboxId}", pod.id), {
      json: refusedBodies[operationId],
    });
    const own = { requestId: example.requestId, instance: example.instance };
    assert.deepEqual({ ...answer.json<Message>(), ...own }, example);
  }
});

test("the example of every operation runs, on containerd or on the fake runtime", () => {
  assert.deepEqual([...onContainerd, ...onFake].sort(), [...examples.keys()].sort());
});

test("each operation that containerd lacks answers its example as the document says", async (t) => {
  const gateway = await createGateway("containerd-2.1");
  t.after(() => gateway.close());
  const { fake } = gateway;
  const app = gateway.open();
  const pod = fake.addPod({ labels: managed, config: { linux: { cgroupParent: "/crest" } } });
  const container = fake.addContainer({ pod, state: "running" });
  const ran = new Set<string>();
  for (const id of onFake) {
    await t.test(id, async () => {
      const route = routes.find((one) => one.id === id);
      assert.ok(route);
      const [rpc] = rpcsOf(route) as readonly [Rpc];
      const { parameters, answer = {} } = examples.get(id) ?? {};
      fake.on(rpc, responseBytes(rpc, answer as Message));
      const story = createStory({
        places: Object.fromEntries(
          (parameters ?? []).flatMap(({ name, example }) =>
            name === "podSandboxId"
              ? [[example, pod.id]]
              : name === "containerId"
                ? [[example, container.id]]
                : [],
          ),
        ),
      });
      const { method, target, body } = story.request(id);
      fake.calls.length = 0;
      story.hold(id, await app.ask(`${method} ${target}`, body === undefined ? {} : { json: body }));
      assert.equal(fake.callsOf(rpc).length, 1);
      ran.add(id);
    });
  }
  assert.deepEqual(ran, onFake);
});
