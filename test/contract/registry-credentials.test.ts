/** Which credentials each runtime is told, whatever form they came in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { mannerNames } from "../support/fake-runtime.ts";
import { liveGateway } from "./live-gateway.ts";

const image = "quay.io/private/app:1";
const pair = Buffer.from("reader:open sesame").toString("base64");

for (const manner of mannerNames) {
  const isContainerd = manner.startsWith("containerd");

  test(`credentials in one word are used on ${manner}`, async (t) => {
    const { ask } = await liveGateway(t, manner);
    for (const auth of [{ auth: pair }, { username: "reader", auth: pair }]) {
      const answer = await ask("POST /v1/images/pull", { image, auth });
      assert.equal(answer.status, 200, answer.text);
    }
  });

  test(`${manner} is told of tokens and addresses what it understands`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const sent = async (auth: object): Promise<{ readonly [field: string]: unknown }> => {
      await ask("POST /v1/images/pull", { image, auth });
      return fake.callsOf("ImageService/PullImage").at(-1)?.request.auth as { [field: string]: unknown };
    };
    const azure = await sent({ username: "00000000", identityToken: "token" });
    assert.deepEqual([azure.username, azure.identityToken], [isContainerd ? undefined : "00000000", "token"]);
    const both = await sent({ username: "reader", password: "open sesame", identityToken: "token" });
    assert.deepEqual([both.username, both.password], ["reader", "open sesame"]);
    for (const [written, told] of [
      ["quay.io", "https://quay.io"],
      ["localhost:5000", "https://localhost:5000"],
      ["http://quay.io/v1", "http://quay.io/v1"],
      ["https://index.docker.io/v1/", "https://registry-1.docker.io"],
      ["docker.io", "https://registry-1.docker.io"],
    ]) {
      const { serverAddress } = await sent({ username: "reader", password: "x", serverAddress: written });
      assert.equal(serverAddress, isContainerd ? told : written);
    }
  });

  test(`a registry token is ${isContainerd ? "501" : "passed on"} on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    const auth = { registryToken: "canary-3d" };
    const answer = await ask("POST /v1/images/pull", { image, auth });
    const [call] = fake.callsOf("ImageService/PullImage");
    assert.equal(answer.at("code"), isContainerd ? "not_implemented" : "registry_unauthorized", answer.text);
    assert.deepEqual(call?.request.auth, isContainerd ? undefined : auth);
    assert.ok(!answer.text.includes("canary"));
  });

  test(`an address that is none is 400 with its place as written on ${manner}`, async (t) => {
    const { ask, fake } = await liveGateway(t, manner);
    for (const [auth, pointer] of [
      [{ serverAddress: "a b" }, "/auth/serverAddress"],
      [{ server_address: "https://" }, "/auth/server_address"],
    ] as const) {
      const answer = await ask("POST /v1/images/pull", { image, auth });
      assert.deepEqual([answer.status, answer.at("errors.0.pointer")], [400, pointer], answer.text);
    }
    assert.deepEqual(fake.callsOf("ImageService/PullImage"), []);
  });
}
