/** Lists of a real runtime, which answers in another order each time: one order, one validator, whole pages. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Registry, startRegistry } from "../support/registry.ts";
import { push, smallImage } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import { createContainer, runContainer, runPod, shell } from "./support/pods.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip({ registry: true });
const labels = { group: "listed" };
let registry: Registry | undefined;
const crest = useGateway(skip, {
  async prepare(gateway) {
    registry = await startRegistry();
    for (const name of ["one", "two", "three", "four", "five", "six"]) {
      const [image] = await push(registry, smallImage(name), { name });
      assert.equal((await gateway.post("/v1/images/pull", { image })).status, 200);
    }
    for (let count = 0; count < 4; count++) {
      const pod = await runPod(gateway, { labels });
      await runContainer(gateway, pod, { labels, ...shell("sleep 3600") });
      await createContainer(gateway, pod, { labels });
    }
  },
});
after(() => registry?.close());

const lists = [
  { path: "/v1/pods?labelSelector=group=listed", items: "items", least: 4 },
  { path: "/v1/containers?labelSelector=group=listed", items: "containers", least: 8 },
  { path: "/v1/images", items: "images", least: 8 },
] as const;

type Page = { readonly continue?: string } & { readonly [items: string]: readonly { readonly id: string }[] };
const idsOf = (page: Page, items: string): readonly string[] => (page[items] ?? []).map(({ id }) => id);

for (const { path, items, least } of lists) {
  test(`50 listings of ${path} give one body and one ETag, which a 304 repeats`, { skip }, async () => {
    const first = await crest().get<Page>(path);
    assert.ok(idsOf(first.body, items).length >= least, first.text);
    const { etag } = first.headers;
    assert.match(etag ?? "", /^W\/"/);
    for (let turn = 1; turn < 50; turn++) {
      const again = await crest().get(path);
      assert.equal(again.text, first.text);
      assert.equal(again.headers.etag, etag);
    }
    const unchanged = await crest().send("GET", path, { headers: { "if-none-match": etag } });
    assert.deepEqual([unchanged.status, unchanged.text], [304, ""]);
  });

  test(`the pages of ${path} are the whole list, in its order`, { skip }, async () => {
    const whole = idsOf((await crest().get<Page>(path)).body, items);
    const found: string[] = [];
    const limited = `${path}${path.includes("?") ? "&" : "?"}limit=3`;
    for (let next: string | undefined = ""; next !== undefined; ) {
      const position: string = next === "" ? "" : `&continue=${encodeURIComponent(next)}`;
      const { body } = await crest().get<Page>(limited + position);
      assert.ok(idsOf(body, items).length <= 3);
      found.push(...idsOf(body, items));
      next = body.continue;
    }
    assert.deepEqual(found, whole);
  });
}
