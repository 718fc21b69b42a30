/** The bill of materials of the npm package: valid, whole, and the same each time. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv, type Options } from "ajv";
import { installedPackages, type LockFile, readJson } from "../../../src/codegen/installed-packages.ts";
import { makeSbom } from "../../../src/codegen/sbom.ts";
import { version } from "../../../src/version.ts";
import { repositoryRoot } from "../../support/repository.ts";

const root = repositoryRoot();
/** CycloneDX's own schemas. */
const schemas = join(root, "node_modules", "@cyclonedx", "cyclonedx-library", "res", "schema");

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly { readonly license: { readonly id: string } }[];
}

interface Sbom {
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const text = makeSbom(root);
const sbom = JSON.parse(text) as Sbom;

function validator() {
  const schema = (name: string): object => JSON.parse(readFileSync(join(schemas, name), "utf8"));
  // Their schemas have words of their own, for what reads them.
  const options: Options = { strict: false, allErrors: true };
  const ajv = new Ajv({
    ...options,
    formats: {
      "date-time": (value) => !Number.isNaN(Date.parse(value)),
      "idn-email": (value) => value.includes("@"),
      uri: (value) => URL.canParse(value),
      "iri-reference": (value) => URL.canParse(value, "https://crest.example"),
    },
  });
  // The first schema refers to them by these names.
  for (const name of ["spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json"])
    ajv.addSchema(schema(name), `http://cyclonedx.org/schema/${name}`);
  return ajv.compile(schema(`bom-${sbom.specVersion}.SNAPSHOT.schema.json`));
}

test("the bill of materials is valid CycloneDX", () => {
  const validate = validator();
  assert.ok(validate(sbom), JSON.stringify(validate.errors));
  const [first, ...rest] = sbom.components;
  for (const broken of [
    { ...sbom, components: [{ ...first, licenses: [{ license: { id: "None-1.0" } }] }, ...rest] },
    { ...sbom, components: [{ ...first, type: "unknown" }, ...rest] },
    { ...sbom, serialNumber: "1" },
  ])
    assert.ok(!validate(broken));
});

test("the bill of materials lists every package of the lock file that is not for development, with its digest", () => {
  const packages = installedPackages(readJson<LockFile>(root, "package-lock.json"));
  const lines = packages.map(({ name, version: its, integrity }) => `${name} ${its} ${integrity}`);
  const listed = sbom.components.map(({ name, version: its, hashes: [hash] }) => {
    const digest = Buffer.from(hash?.content ?? "", "hex").toString("base64");
    return `${name} ${its} ${hash?.alg.toLowerCase().replace("-", "")}-${digest}`;
  });
  assert.ok(listed.length > 50);
  assert.deepEqual(listed.toSorted(), lines.toSorted());
});

test("the bill of materials is Crest's own, and its dependencies lead to what it lists", () => {
  const { component } = sbom.metadata;
  assert.deepEqual(
    [component.name, component.version, component.purl, component.licenses],
    ["crest-cri", version, `pkg:npm/crest-cri@${version}`, [{ license: { id: "Apache-2.0" } }]],
  );
  const refs = [component, ...sbom.components].map((one) => one["bom-ref"]);
  assert.deepEqual(sbom.dependencies.map(({ ref }) => ref).toSorted(), refs.toSorted());
  for (const { dependsOn } of sbom.dependencies)
    for (const ref of dependsOn) assert.ok(refs.includes(ref), ref);
  const { dependencies } = readJson<{ dependencies: object }>(root, "package.json");
  const own = sbom.dependencies.find(({ ref }) => ref === component["bom-ref"]);
  assert.deepEqual(
    own?.dependsOn.map((ref) => ref.slice(0, ref.lastIndexOf("@"))).toSorted(),
    Object.keys(dependencies).toSorted(),
  );
});

test("the bill of materials is the same each time", () => {
  assert.equal(makeSbom(root), text);
});
