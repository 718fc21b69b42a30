/** Pulling, showing and removing images that are not there, not to be had, or in use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type FakeImage,
  type FakeRuntime,
  mannerNames,
  type RegistryFault,
  registryFaults,
} from "../support/fake-runtime.ts";
import { liveGateway } from "./live-gateway.ts";
import {
  absentId,
  act,
  containerIn,
  imageInUse,
  imageNotFound,
  imagePinned,
  invalid,
  notFound,
  type Outcome,
  pull,
  type Situation,
  testEverywhere,
  unauthorized,
  unreachable,
} from "./situations.ts";

function pauseOf({ images }: FakeRuntime): FakeImage {
  const pause = [...images.values()].find(({ repoTags }) => repoTags.includes("registry.k8s.io/pause:3.10"));
  assert.ok(pause);
  return pause;
}

const failed: Outcome = { status: 502, code: "registry_failed" };
const limited: Outcome = { status: 429, code: "registry_rate_limited" };
const faults: { readonly [fault in RegistryFault]: Outcome } = {
  "rate limited": limited,
  "rate limited with a message": limited,
  "server error": failed,
  "server error with a message": failed,
  "connection reset": failed,
  "connection ended": failed,
  "layer cut short": failed,
  "timed out": unreachable,
  "wrong digest": { status: 502, code: "digest_mismatch" },
  "other platform": { status: 422, code: "platform_missing" },
  "plain HTTP": { status: 502, code: "registry_plain_http" },
  unsigned: { status: 422, code: "signature_rejected" },
  "disk full": { status: 507, code: "node_disk_full" },
};

testEverywhere("images", [
  ...registryFaults.flatMap((fault) =>
    ["quay.io/team/faulty:1", "quay.io/access-denied/x509:unknown", "denied:5000/tls/eof:429"].map(
      (image): Situation => ({
        situation: `pull ${image}, and the registry's fault is: ${fault}`,
        run(gateway) {
          gateway.fake.addRemoteImage({ tags: [image], fault });
          return pull(image)(gateway);
        },
        ...faults[fault],
      }),
    ),
  ),
  {
    situation: "pull with the right credentials",
    run: pull("quay.io/private/app:1", { username: "reader", password: "open sesame" }),
    status: 200,
  },
  { situation: "pull without credentials", run: pull("quay.io/private/app:1"), ...unauthorized },
  {
    situation: "pull with bad credentials",
    run: pull("quay.io/private/app:1", { username: "reader", password: "no" }),
    ...unauthorized,
  },
  { situation: "pull from where nobody listens", run: pull("127.0.0.1:1/app:1"), ...unreachable },
  { situation: "pull from a host that nobody knows", run: pull("registry.invalid/app:1"), ...unreachable },
  { situation: "pull what the registry does not have", run: pull("quay.io/team/absent:1"), ...imageNotFound },
  {
    situation: "pull a tag that the registry does not have",
    run: pull("quay.io/team/app:2"),
    ...imageNotFound,
  },
  {
    situation: "pull what is no reference",
    run: pull("Not A Reference"),
    status: 400,
    code: "bad_reference",
  },
  { situation: "pull nothing", run: pull(""), ...invalid },
  ...["GET", "DELETE"].flatMap((method): Situation[] => [
    {
      situation: `${method} an image that is not there`,
      run: act(`${method} /v1/images/quay.io/team/absent:1`),
      ...notFound,
    },
    {
      situation: `${method} an image that is not there, by its short name`,
      run: act(`${method} /v1/images/absent`),
      ...notFound,
    },
    {
      situation: `${method} an image that is not there, by its id`,
      run: act(`${method} /v1/images/sha256:${absentId}`),
      ...notFound,
    },
    {
      situation: `${method} an image by what is no reference`,
      run: act(`${method} /v1/images/Not%20A%20Reference`),
      ...notFound,
    },
  ]),
  ...["busybox:1.36", "docker.io/library/busybox:1.36"].map(
    (name): Situation => ({
      situation: `remove ${name} while a container has it`,
      run: containerIn("exited", act(`DELETE /v1/images/${name}`)),
      ...imageInUse,
    }),
  ),
  {
    situation: "ask what the removal of an image in use would take along",
    run: containerIn("running", act("DELETE /v1/images/busybox:1.36?dryRun=true")),
    ...imageInUse,
  },
  ...["", "?dryRun=true"].flatMap((query): Situation[] => [
    {
      situation: `remove the image of pods${query}`,
      run: act(`DELETE /v1/images/registry.k8s.io/pause:3.10${query}`),
      ...imagePinned,
    },
    {
      situation: `remove the image of pods by its id${query}`,
      run: ({ ask, fake }) => ask(`DELETE /v1/images/sha256:${pauseOf(fake).digits}${query}`),
      ...imagePinned,
    },
  ]),
  {
    situation: "remove the image of pods by another name of it",
    run({ ask, fake }) {
      fake.addImage({ tags: ["registry.example/mine:1"], digits: pauseOf(fake).digits });
      return ask("DELETE /v1/images/registry.example/mine:1");
    },
    ...imagePinned,
  },
  {
    situation: "remove an image that the runtime's configuration pins",
    run({ ask, fake }) {
      fake.addImage({ tags: ["registry.example/kept:1"], pinned: true });
      return ask("DELETE /v1/images/registry.example/kept:1");
    },
    ...imagePinned,
    // These pin nothing.
    except: { "containerd-1.6": { status: 200 }, "cri-dockerd": { status: 200 } },
  },
  {
    situation: "remove an image while that of pods is not on the node",
    run({ ask, fake }) {
      (fake.images as Map<string, unknown>).delete(pauseOf(fake).digits);
      return ask("DELETE /v1/images/busybox:1.36");
    },
    status: 200,
  },
  { situation: "remove an image", run: act("DELETE /v1/images/busybox:1.36"), status: 200 },
]);

test("a rate limit of a registry is worth another try, after the time in Retry-After", async (t) => {
  for (const manner of mannerNames) {
    const gateway = await liveGateway(t, manner);
    for (const [fault, retryAfter, retryable] of [
      ["rate limited", "60", true],
      ["server error", undefined, true],
      ["timed out", undefined, true],
      ["wrong digest", undefined, true],
      ["other platform", undefined, false],
    ] as const) {
      gateway.fake.addRemoteImage({ tags: ["quay.io/team/faulty:1"], fault });
      const answer = await pull("quay.io/team/faulty:1")(gateway);
      assert.equal(answer.headers["retry-after"], retryAfter, answer.text);
      assert.equal(answer.at("retryable"), retryable, answer.text);
    }
  }
});
