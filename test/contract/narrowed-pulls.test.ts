/** Where pulls are narrowed, the runtime gets the very reference that was checked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grants } from "../../src/grants.ts";
import { mannerNames } from "../support/fake-runtime.ts";
import { type LiveGateway, liveGateway } from "./live-gateway.ts";

const images = (...allowed: readonly string[]): Grants => ({
  all: false,
  allow: { pull: allowed },
  deny: {},
});
const without = (...denied: readonly string[]): Grants => ({ all: true, allow: {}, deny: { pull: denied } });

/** The reference that reached the runtime; undefined when none did. */
async function sent({ ask, fake }: LiveGateway, image: unknown): Promise<unknown> {
  fake.calls.length = 0;
  const answer = await ask("POST /v1/images/pull", { image });
  const [call] = fake.callsOf("ImageService/PullImage");
  if (call === undefined) assert.equal(answer.at("code"), "not_capable", answer.text);
  return call?.request.image;
}

const fedora = "docker.io/library/fedora:latest";
const normal = { image: fedora, userSpecifiedImage: fedora };

for (const manner of mannerNames) {
  test(`a short name goes out in full where pulls are narrowed, on ${manner}`, async (t) => {
    for (const grants of [images("docker.io/library"), without("quay.io")]) {
      const gateway = await liveGateway(t, manner, { grants });
      for (const image of [
        "fedora",
        "fedora:latest",
        "library/fedora",
        "Docker.IO/fedora",
        { image: "fedora" },
        { image: "fedora", userSpecifiedImage: "evil.example/fedora" },
        { image: "fedora", user_specified_image: "evil.example/fedora" },
      ]) {
        assert.deepEqual(await sent(gateway, image), normal, JSON.stringify(image));
      }
    }
  });

  test(`a short name goes out as it is where everything may be pulled, on ${manner}`, async (t) => {
    const gateway = await liveGateway(t, manner);
    assert.deepEqual(await sent(gateway, "fedora"), { image: "fedora", userSpecifiedImage: "fedora" });
  });
}

test("what is not below a granted prefix, or below a denied one, does not reach the runtime", async (t) => {
  const granted = await liveGateway(t, "cri-o", {
    grants: images("docker.io/library", "registry.example:5000"),
  });
  for (const image of [
    "quay.io/fedora",
    "team/fedora",
    "registry.example/fedora",
    { image: "quay.io/fedora" },
  ])
    assert.equal(await sent(granted, image), undefined, JSON.stringify(image));
  const denied = await liveGateway(t, "cri-o", { grants: without("docker.io") });
  for (const image of [
    "fedora",
    "docker.io/team/app",
    "index.docker.io/library/fedora",
    "registry-1.docker.io/library/fedora",
    "registry-1.docker.io:443/library/fedora",
    "REGISTRY-1.docker.io/library/fedora",
  ]) {
    assert.equal(await sent(denied, image), undefined, image);
  }
});

test("a reference that is too long is refused before it is parsed or repeated", async (t) => {
  const { ask, fake } = await liveGateway(t, "cri-o", { grants: images("docker.io/library") });
  const image = `a.b/${":".repeat(150_000)}/`;
  for (const body of [{ image }, { image: { image } }]) {
    const answer = await ask("POST /v1/images/pull", body);
    assert.equal(answer.status, 400, answer.text);
    assert.ok(answer.text.length < 1000);
  }
  assert.deepEqual(fake.callsOf("ImageService/PullImage"), []);
});

test("a host in upper case does not turn into a repository of docker.io on its way", async (t) => {
  const gateway = await liveGateway(t, "cri-o", { grants: without("docker.io/team") });
  const image = "TEAM/app:latest";
  assert.deepEqual(await sent(gateway, "TEAM/app"), { image, userSpecifiedImage: image });
});
