/** Images, by HTTP, on the real containerd and with a real registry: pull, look, filter, remove. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { busyboxImage, readBusybox } from "../../src/embedded/busybox.ts";
import type { Image, ImageStatusResponse, ListImagesResponse } from "../../src/gen/messages.ts";
import { freePort } from "../support/free-port.ts";
import { type Registry, registryUser, startRegistry } from "../support/registry.ts";
import { type Answer, anyProblemOf, bodyOf, problemOf } from "./support/api.ts";
import { startGateway } from "./support/gateway.ts";
import { push, smallImage } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, newName, removePod, runContainer, runPod } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip({ registry: true });

let open: Registry;
let closed: Registry;
const crest = useGateway(skip, {
  async prepare() {
    [open, closed] = await Promise.all([startRegistry(), startRegistry({ auth: true })]);
  },
});
after(() => Promise.all([open?.close(), closed?.close()]));

const pull = (body: object): Promise<Answer<{ imageRef: string }>> => crest().post("/v1/images/pull", body);
const pathOf = (reference: string) => `/v1/images/${reference}`;

async function found(path: string): Promise<Image> {
  const { image } = bodyOf(await crest().get<ImageStatusResponse>(path));
  assert.ok(image);
  return image;
}

/** An image of its own in the open registry, pulled. */
async function pulled(
  tags: readonly string[] = ["latest"],
): Promise<{ readonly references: readonly string[]; readonly id: string }> {
  const name = `made/${newName()}`;
  const references = await push(open, smallImage(name), { name, tags });
  let id = "";
  for (const reference of references) id = bodyOf(await pull({ image: reference })).imageRef;
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  return { references, id };
}

test("an image is pulled without credentials, and runs", { skip }, async () => {
  const [reference = ""] = await push(open, busyboxImage(await readBusybox()), { name: "library/busybox" });
  const { imageRef } = bodyOf(await pull({ image: reference }));
  const image = await found(pathOf(reference));
  assert.equal(image.id, imageRef);
  assert.ok(image.repoTags.includes(reference));
  assert.ok(Number(image.size) > 500_000, image.size);
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod, { image: reference });
  assert.equal((await exec(crest(), container, "echo pulled")).stdout, "pulled\n");
  await removePod(crest(), pod);
});

test("pulling again what is there is no mistake, and an ImageSpec names it as well", { skip }, async () => {
  const { references, id } = await pulled();
  assert.equal(bodyOf(await pull({ image: { image: references[0] } })).imageRef, id);
});

test("a registry that asks gives with credentials only", { skip }, async () => {
  const auth = registryUser;
  const [reference = ""] = await push(closed, smallImage("closed"), { name: "team/app", auth });
  problemOf(await pull({ image: reference }), 422, "registry_unauthorized");
  const wrong = { ...auth, password: "canary of a wrong password" };
  problemOf(await pull({ image: reference, auth: wrong }), 422, "registry_unauthorized");
  problemOf(await crest().get(pathOf(reference)), 404, "not_found");

  const { imageRef } = bodyOf(await pull({ image: reference, auth }));
  assert.equal((await found(pathOf(reference))).id, imageRef);
  assert.ok(!crest().process.output().includes(wrong.password), "a password in the log");
});

test("credentials are also taken in the one word that registries want them in", { skip }, async () => {
  const auth = registryUser;
  const [reference = ""] = await push(closed, smallImage("joined"), { name: "team/joined", auth });
  const joined = Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
  bodyOf(await pull({ image: reference, auth: { auth: joined } }));
});

test("an absent repository and an absent tag are 404", { skip }, async () => {
  const { references } = await pulled();
  problemOf(await pull({ image: `${open.address}/no/such:latest` }), 404, "image_not_found");
  problemOf(await pull({ image: references[0]?.replace(/latest$/, "other") }), 404, "image_not_found");
});

test("a registry that cannot be reached is 502, and worth another try", { skip }, async () => {
  const answer = await pull({ image: `127.0.0.1:${await freePort()}/library/busybox:latest` });
  assert.equal(problemOf(answer, 502, "registry_unreachable").retryable, true);
});

test("what is no reference is 400", { skip }, async () => {
  for (const image of ["Not A Reference", "UPPER", "a//b", `${open.address}/a:b:c`, "a@sha256:12", "/"]) {
    problemOf(await pull({ image }), 400, "bad_reference");
  }
});

test("an image is found by name, id and digest, with slashes encoded and not", { skip }, async () => {
  const { references, id } = await pulled();
  const [reference = ""] = references;
  const image = await found(pathOf(reference));
  const [digest = ""] = image.repoDigests;
  assert.match(digest, /@sha256:[0-9a-f]{64}$/);
  for (const name of [reference, id, id.slice("sha256:".length), digest]) {
    assert.equal((await found(pathOf(name))).id, id, name);
    assert.equal((await found(pathOf(encodeURIComponent(name)))).id, id, `${name}, encoded`);
  }
});

test("a short name means docker.io's library and the tag latest", { skip }, async () => {
  const { id } = await found(pathOf("docker.io/library/busybox:latest"));
  for (const name of ["busybox", "busybox:latest", "library/busybox", "docker.io%2Flibrary%2Fbusybox"]) {
    assert.equal((await found(pathOf(name))).id, id, name);
  }
});

test("an image that is not there is 404", { skip }, async () => {
  for (const name of ["registry.example/absent:1", `sha256:${"f".repeat(64)}`, "absent"]) {
    problemOf(await crest().get(pathOf(name)), 404, "not_found");
    problemOf(await crest().delete(pathOf(name)), 404, "not_found");
  }
});

test("verbose status of an image shows its configuration", { skip }, async () => {
  const path = pathOf("docker.io/library/busybox:latest");
  assert.deepEqual({ ...bodyOf(await crest().get<ImageStatusResponse>(path)).info }, {});
  const { info } = bodyOf(await crest().get<ImageStatusResponse>(`${path}?verbose`));
  assert.deepEqual(JSON.parse(info.info ?? "").imageSpec.config.Cmd, ["sh"]);
});

test("the list is filtered by image, whatever the runtime does with the filter", { skip }, async () => {
  const { references, id } = await pulled(["one", "two"]);
  const idsOf = async (query: string) =>
    bodyOf(await crest().get<ListImagesResponse>(`/v1/images${query}`)).images.map((image) => image.id);
  const all = await idsOf("");
  assert.ok(all.includes(id) && all.length >= 3);
  assert.deepEqual(all, [...all].sort());
  const { repoDigests } = await found(pathOf(id));
  for (const name of [...references, id, ...repoDigests]) {
    assert.deepEqual(await idsOf(`?image=${encodeURIComponent(name)}`), [id], name);
  }
  assert.equal((await idsOf("?image=busybox")).length, 1);
  assert.deepEqual(await idsOf("?image=registry.example/absent:1"), []);
});

test("removing one tag removes the image with all its names, and tells them", { skip }, async () => {
  const { references, id } = await pulled(["one", "two", "three"]);
  const { repoDigests } = await found(pathOf(id));
  const names = { id, repoTags: [...references].sort(), repoDigests };
  const sorted = ({ body }: Answer<{ repoTags: string[] }>) => ({ ...body, repoTags: body.repoTags.sort() });

  const dry = await crest().delete<{ repoTags: string[] }>(`${pathOf(references[1] ?? "")}?dryRun=true`);
  bodyOf(dry);
  assert.deepEqual(sorted(dry), { ...names, dryRun: true });
  for (const reference of references) assert.equal((await found(pathOf(reference))).id, id);

  const real = await crest().delete<{ repoTags: string[] }>(pathOf(references[1] ?? ""));
  bodyOf(real);
  assert.deepEqual(sorted(real), { ...names, dryRun: false });
  for (const name of [...references, id]) problemOf(await crest().get(pathOf(name)), 404, "not_found");
});

test("the image that pods start from stays, whichever of its names is given", { skip }, async () => {
  const { id } = await found(pathOf("crest.invalid/pause:1"));
  for (const name of ["crest.invalid/pause:1", id, id.slice("sha256:".length)]) {
    problemOf(await crest().delete(`${pathOf(name)}?dryRun=true`), 409, "image_pinned");
    problemOf(await crest().delete(pathOf(name)), 409, "image_pinned");
  }
  await removePod(crest(), await runPod(crest()));
});

test("an image is removed by id and by digest", { skip }, async () => {
  for (const nameOf of [(image: Image) => image.id, (image: Image) => image.repoDigests[0] ?? ""]) {
    const image = await found(pathOf((await pulled()).id));
    bodyOf(await crest().delete(pathOf(nameOf(image))));
    problemOf(await crest().get(pathOf(image.id)), 404, "not_found");
  }
});

test("--allow-pull with prefixes permits these, on whole path segments, and names the flag for others", {
  skip,
}, async () => {
  const team = `${open.address}/team`;
  const [reference = ""] = await push(open, smallImage("allowed"), { name: "team/app" });
  await push(open, smallImage("other"), { name: "teammates/app" });
  const narrow = await startGateway("serve", {
    args: [
      `--runtime-endpoint=${join(crest().dataDir, "containerd.sock")}`,
      `--allow-pull=${team},docker.io/library`,
      `--deny-pull=${team}/secret`,
    ],
  });
  try {
    const send = (image: unknown) => narrow.post<{ imageRef: string }>("/v1/images/pull", { image });
    bodyOf(await send(reference));
    bodyOf(await send({ image: reference }));
    problemOf(await send("DOCKER.io/library/Not A Name"), 400, "bad_reference");
    for (const [image, resource] of [
      [`${open.address}/teammates/app:latest`, `${open.address}/teammates/app:latest`],
      [`${team}/secret:latest`, `${team}/secret:latest`],
      ["ghcr.io/team/app", "ghcr.io/team/app:latest"],
      ["someone/app", "docker.io/someone/app:latest"],
      // A host to newer runtimes, never a name in docker.io's library.
      ["LIBRARY/busybox", "LIBRARY/busybox:latest"],
    ] as const) {
      const problem = problemOf(await send(image), 403, "not_capable");
      assert.deepEqual([problem.grant, problem.resource], ["pull", resource]);
      const repository = resource.replace(/:latest$/, "");
      const advice = repository.startsWith(`${team}/secret`)
        ? /--deny-pull=\S+\/team\/secret/
        : new RegExp(`run again with --allow-pull=${repository}$`);
      assert.match(problem.detail, advice);
    }
    problemOf(await narrow.get(pathOf(reference)), 403, "not_capable");
  } finally {
    await narrow.close();
  }
});

test("an error text of a registry that is too large fails its own pull and nothing else", {
  skip,
}, async (t) => {
  const message = "x".repeat(200_000);
  // containerd repeats the message of an error that it gets for a manifest after HEAD has found it.
  const hostile = createServer(({ method }, response) => {
    if (method === "HEAD") {
      response.writeHead(200, {
        "content-type": "application/vnd.oci.image.manifest.v1+json",
        "content-length": 500,
        "docker-content-digest": `sha256:${"a".repeat(64)}`,
      });
      response.end();
      return;
    }
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ errors: [{ code: "MANIFEST_INVALID", message }] }));
  });
  await new Promise<void>((resolve) => hostile.listen(0, "127.0.0.1", resolve));
  t.after(() => hostile.close());
  const { port } = hostile.address() as AddressInfo;
  const pod = await runPod(crest());
  const container = await runContainer(crest(), pod);
  const running = exec(crest(), container, "sleep 2; echo survived");
  for (let pulls = 0; pulls < 3; pulls++) {
    const answer = await pull({ image: `127.0.0.1:${port}/big/error:${pulls}` });
    const problem = anyProblemOf(answer);
    assert.equal(problem.code, "runtime_error", answer.text.slice(0, 500));
    assert.match(problem.detail, /gave no reason, or one of more than 32768 bytes/);
    assert.equal((await crest().get("/v1/version")).status, 200);
  }
  assert.equal((await running).stdout, "survived\n");
  await removePod(crest(), pod);
});
