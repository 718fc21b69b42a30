/** What is chosen of a list: by labels, image, pod and state, whatever of it the runtime does itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mannerNames } from "../support/fake-runtime.ts";
import { listRoutes } from "./table-cases.ts";
import { createGateway, problemOf, seed, sharedGateway } from "./table-gateway.ts";
import { type Item, idsOf, lines, type Page, parseLines, populate } from "./table-list-world.ts";
import { valueAt } from "./table-messages.ts";

const { fake, open } = await sharedGateway();
populate(fake, 40);

interface Term {
  readonly key: string;
  readonly operator: "=" | "==" | "!=" | "in" | "notin" | "exists" | "absent";
  readonly values: readonly string[];
}

/** Kubernetes' meaning, in the plainest words. */
function holds({ key, operator, values }: Term, labels: { readonly [key: string]: string }): boolean {
  const has = Object.hasOwn(labels, key);
  const value = labels[key] ?? "";
  if (operator === "exists") return has;
  if (operator === "absent") return !has;
  if (operator === "!=" || operator === "notin") return !(has && values.includes(value));
  return has && values.includes(value);
}

function written({ key, operator, values }: Term): string {
  if (operator === "exists") return key;
  if (operator === "absent") return `!${key}`;
  const set = operator === "in" || operator === "notin";
  return set ? `${key} ${operator} (${values.join(", ")})` : `${key}${operator}${values[0] ?? ""}`;
}

const labelKey = fc.constantFrom("app", "tier", "example.com/app", "constructor", "in", "a_b.c-d");
const labelValue = fc.constantFrom("", "web", "db", "notin", "v1.2_3-4", "0");
const term: fc.Arbitrary<Term> = fc
  .record({
    key: labelKey,
    operator: fc.constantFrom<Term["operator"]>("=", "==", "!=", "in", "notin", "exists", "absent"),
    values: fc.array(labelValue, { minLength: 1, maxLength: 3 }),
  })
  .map((one) => (one.operator.includes("=") ? { ...one, values: one.values.slice(0, 1) } : one));

test(`labelSelector chooses as Kubernetes does, on random labels (seed ${seed})`, async (t) => {
  const own = await createGateway("containerd-2.1");
  t.after(() => own.close());
  const app = own.open();
  const labelsOf = fc.dictionary(labelKey, labelValue, { noNullPrototype: true });
  for (const labels of fc.sample(labelsOf, { seed, numRuns: 40 })) {
    const pod = own.fake.addPod({ labels, config: { linux: { cgroupParent: "/crest" } } });
    own.fake.addContainer({ pod, labels });
  }
  for (const route of listRoutes.filter(({ labels }) => labels !== undefined)) {
    await t.test(route.http, async () => {
      const all = (await app.ask(route.http)).json<Page>()[route.items as "containers"];
      assert.equal(all.length, 40);
      const keyOf = (item: object): string => JSON.stringify(valueAt(item, route.order.at(-1) ?? ""));
      const property = fc.asyncProperty(fc.array(term, { maxLength: 4 }), async (terms) => {
        const selector = terms.map(written).join(",");
        const expected = all.filter((item) =>
          terms.every((one) => holds(one, valueAt(item, route.labelsOf ?? "") as Item["labels"])),
        );
        const answer = await app.ask(`${route.http}?labelSelector=${encodeURIComponent(selector)}`);
        assert.equal(answer.status, 200, answer.text);
        const chosen = answer.json<Page>()[route.items as "containers"];
        assert.deepEqual(chosen.map(keyOf), expected.map(keyOf), selector);
      });
      await fc.assert(property, { seed, numRuns: 40, includeErrorInReport: true });
    });
  }
});

test("equality goes down to the runtime, the rest of a selector is held against what it sends", async () => {
  fake.calls.length = 0;
  await open.ask(
    "GET /v1/containers?labelSelector=app%3Dweb,tier+in+(tier-1),tier!%3Dtier-2,!gone,app+in+(web,db)",
  );
  assert.deepEqual(fake.calls[0]?.request, { filter: { labelSelector: { app: "web", tier: "tier-1" } } });
  fake.calls.length = 0;
  const none = await open.ask("GET /v1/containers?labelSelector=app%3Dweb,app%3Ddb");
  assert.deepEqual(idsOf(none), [], "one label has one value");
});

test("a selector that is none is 400 with its place, and asks nothing", async () => {
  fake.calls.length = 0;
  for (const selector of [
    "a b",
    "a=b=c",
    ",",
    "a,",
    "=a",
    "a in b",
    "a in (b",
    "a in",
    "-a",
    "a=b c",
    "(a)",
    "a!b",
  ]) {
    const answer = await open.ask(`GET /v1/containers?labelSelector=${encodeURIComponent(selector)}`);
    const problem = problemOf(answer, { status: 400, code: "invalid_request" });
    assert.equal(problem.errors?.[0]?.parameter, "labelSelector", selector);
    assert.match(problem.errors?.[0]?.detail ?? "", /position \d+/);
  }
  const twice = await open.ask("GET /v1/containers?labelSelector=a&labelSelector=b");
  problemOf(twice, { status: 400, code: "invalid_request" });
  assert.deepEqual(fake.calls, []);
});

test("labels that Kubernetes does not allow are selected in quotes, on every runtime", async (t) => {
  for (const manner of mannerNames) {
    const own = await createGateway(manner);
    t.after(() => own.close());
    const labels = { "my key": "a b", "a=b": "c,(d)", é: '"quoted"' };
    const pod = own.fake.addPod({ labels, config: { linux: { cgroupParent: "/crest" } } });
    own.fake.addContainer({ pod, labels });
    populate(own.fake, 2);
    const app = own.open();
    const chosen = Object.entries(labels).map(
      ([key, value]) => `${JSON.stringify(key)}=${JSON.stringify(value)}`,
    );
    const selectors = [...chosen, chosen.join(), '"my key" in (x, "a b"),!app', '"a=b"'];
    for (const selector of selectors) {
      const query = `labelSelector=${encodeURIComponent(selector)}`;
      assert.equal(idsOf(await app.ask(`GET /v1/containers?${query}`)).length, 1, `${manner} ${selector}`);
      assert.deepEqual(idsOf(await app.ask(`GET /v1/pods?${query}`), "items"), [pod.id], selector);
    }
    assert.equal(
      idsOf(await app.ask(`GET /v1/containers?labelSelector=${encodeURIComponent('!"my key"')}`)).length,
      2,
    );
  }
});

test("the image filter holds though the runtime ignores it, by every name and by id", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const own = await createGateway(manner);
      t.after(() => own.close());
      const app = own.open();
      const wanted = own.fake.addImage({ tags: ["alpine:3.20", "quay.io/team/alpine:latest"] });
      own.fake.addImage({ tags: ["docker.io/library/alpine:3.19"] });
      own.fake.addImage({ tags: ["quay.io/team/alpine2:latest"] });
      const id = `sha256:${wanted.digits}`;
      const [digest = ""] = wanted.repoDigests;
      const names = ["alpine:3.20", "library/alpine:3.20", "docker.io/library/alpine:3.20"];
      names.push("quay.io/team/alpine", "quay.io/team/alpine:latest", id, wanted.digits, digest);
      for (const image of names) {
        const found = idsOf(await app.ask(`GET /v1/images?image=${encodeURIComponent(image)}`), "images");
        assert.deepEqual(
          found.map((one) => one.replace("sha256:", "")),
          [wanted.digits],
          image,
        );
        if (manner !== "cri-o") continue;
        const inLines = parseLines(await app.ask(`GET /v1/images?image=${encodeURIComponent(image)}`, lines));
        assert.equal(inLines.length, 1, image);
      }
      for (const image of ["alpine", "alpine:3.2", "team/alpine", "quay.io/team", "nope", "f".repeat(64)]) {
        assert.deepEqual(idsOf(await app.ask(`GET /v1/images?image=${image}`), "images"), [], image);
      }
    });
  }
});

test("a filter by pod takes a prefix of its id on every runtime, and an absent pod has no items", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const own = await createGateway(manner);
      t.after(() => own.close());
      const app = own.open();
      const pod = own.fake.addPod({ id: `abc${"1".repeat(61)}` });
      own.fake.addPod({ id: `abd${"1".repeat(61)}` });
      const inside = own.fake.addContainer({ pod });
      own.fake.addContainer({});
      for (const id of [pod.id, pod.id.slice(0, 12), "abc"]) {
        assert.deepEqual(idsOf(await app.ask(`GET /v1/containers?pod=${id}`)), [inside.id]);
      }
      assert.deepEqual(idsOf(await app.ask(`GET /v1/containers?pod=${"0".repeat(64)}`)), []);
      assert.deepEqual(idsOf(await app.ask("GET /v1/containers?pod=abcd")), []);
      const ambiguous = await app.ask("GET /v1/containers?pod=ab");
      problemOf(ambiguous, { status: 409, code: "ambiguous_id" });
    });
  }
});

test("state is the enum's name or its last word, in any case", async () => {
  const all = (await open.ask("GET /v1/containers")).json<Page>().containers as readonly (Item & {
    state: string;
  })[];
  for (const state of ["running", "RUNNING", "CONTAINER_RUNNING", "exited", "created"]) {
    const name = `CONTAINER_${state.replace("CONTAINER_", "").toUpperCase()}`;
    assert.deepEqual(
      idsOf(await open.ask(`GET /v1/containers?state=${state}`)),
      all.filter((item) => item.state === name).map(({ id }) => id),
    );
  }
  for (const state of ["", "run", "container_running_", "1", "ready", "__proto__"]) {
    const answer = await open.ask(`GET /v1/containers?state=${state}`);
    assert.equal(problemOf(answer, { status: 400, code: "invalid_request" }).errors?.[0]?.parameter, "state");
  }
});

test("an empty filter of any list is 400 with its name, and asks nothing of the runtime", async () => {
  let checked = 0;
  for (const route of listRoutes) {
    for (const name of Object.keys(route.filters ?? {})) {
      for (const headers of [undefined, lines]) {
        fake.calls.length = 0;
        for (const query of [name, `${name}=`, `state=running&${name}=`]) {
          if (query.startsWith("state") && (name === "state" || !("state" in (route.filters ?? {}))))
            continue;
          const answer = await open.ask(`${route.http}?${query}`, headers);
          const problem = problemOf(answer, { status: 400, code: "invalid_request" });
          assert.equal(problem.errors?.[0]?.parameter, name, `${route.http}?${query}`);
        }
        assert.deepEqual(fake.calls, []);
      }
      checked++;
    }
  }
  assert.ok(checked >= 8, `only ${checked}`);
});

test("a filter by id takes a name, and is 400 for what can be neither, on every runtime", async (t) => {
  for (const manner of mannerNames) {
    await t.test(manner, async (t) => {
      const own = await createGateway(manner);
      t.after(() => own.close());
      const app = own.open();
      const pod = own.fake.addPod({ name: "web", config: { linux: { cgroupParent: "/crest" } } });
      const container = own.fake.addContainer({ pod, name: "app" });
      for (const route of listRoutes) {
        // cri-dockerd does not have the RPC.
        if (manner === "cri-dockerd" && route.http === "GET /v1/stats/pods") continue;
        const isPods = route.http.endsWith("/pods");
        for (const filter of ["id", "pod"]) {
          if (!(filter in (route.filters ?? {}))) continue;
          const wanted = filter === "pod" || isPods ? pod : container;
          const byName = await app.ask(`${route.http}?${filter}=${wanted === pod ? "web" : "app"}`);
          assert.equal(byName.json<{ [items: string]: object[] }>()[route.items]?.length, 1, byName.text);
          for (const [given, detail] of [
            ["no-such", /must be a (pod|container) id or a prefix of one/],
            ["ABCDEF", /must be a (pod|container) id/],
            ["a".repeat(65), /must be a (pod|container) id/],
          ] as const) {
            const answer = await app.ask(`${route.http}?${filter}=${given}`);
            const problem = problemOf(answer, { status: 400, code: "invalid_request" });
            assert.equal(problem.errors?.[0]?.parameter, filter);
            assert.match(problem.detail ?? "", detail, `${route.http}?${filter}=${given}`);
          }
          for (const given of ["0".repeat(64), "0123"]) {
            const answer = await app.ask(`${route.http}?${filter}=${given}`);
            assert.deepEqual(answer.json<{ [items: string]: unknown }>()[route.items], [], answer.text);
          }
        }
      }
    });
  }
});
