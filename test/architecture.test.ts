/**
 * The house's walls: imports point down, without cycles; each package has one owner; one file reads the
 * environment. Reads the sources themselves, so that a wall cannot be moved without moving it here.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";

const sourceRoot = join(process.cwd(), "src");

/** From the top down: a file imports from its own layer's folder, or from layers below. */
const layers: readonly (readonly string[])[] = [
  ["main", "index"],
  ["start-gateway"],
  ["gateway"],
  ["announce", "app", "banner", "folder-lock"],
  ["service-manager"],
  ["http", "console", "embedded"],
  ["streaming", "logs", "events", "pulls", "stats", "auth", "tls", "docs"],
  ["cri", "routes"],
  ["gen"],
  ["wire"],
];
/** Anyone may import these, and they import nothing but each other. */
const leaves: ReadonlySet<string> = new Set(["config", "errors", "files", "grants", "version"]);
/** Development only: nothing of the product imports it. */
const tools: ReadonlySet<string> = new Set(["codegen"]);

/** package -> the folders that may import it. */
const owners: { readonly [name: string]: readonly string[] } = {
  "@grpc/grpc-js": ["cri"],
  undici: ["streaming"],
  yaml: ["wire"],
  fastify: ["http"],
  "@fastify/websocket": ["http"],
  "@sinclair/typebox": ["config", "http", "routes"],
  "@bufbuild/protobuf": ["codegen"],
};

interface Source {
  /** Path below src, with slashes. */
  readonly path: string;
  /** Its layer: the first folder, or the file's own name at the top. */
  readonly part: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources: readonly Source[] = readdirSync(sourceRoot, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(join(sourceRoot, path), "utf8");
    const specifiers = text.matchAll(
      /^(?:import|export)\s(?:type\s)?(?:\w+,\s*)?(?:\{[^}]*\}|\*(?:\sas\s\w+)?|\w+)\s+from\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm,
    );
    return {
      path,
      part: (path.split("/")[0] ?? path).replace(/\.ts$/, ""),
      text,
      imports: [...specifiers].map((match) => match[1] ?? match[2] ?? ""),
    };
  });

const partOf = (source: Source, specifier: string): string => {
  const target = relative(sourceRoot, normalize(join(sourceRoot, dirname(source.path), specifier)));
  return (target.split("/")[0] ?? target).replace(/\.ts$/, "");
};
const layerOf = (part: string): number => layers.findIndex((layer) => layer.includes(part));

test("every folder of src has a place in the layers", () => {
  const unknown = sources.filter(({ part }) => layerOf(part) === -1 && !leaves.has(part) && !tools.has(part));
  assert.deepEqual(
    unknown.map(({ path }) => path),
    [],
  );
});

test("imports point down", () => {
  const wrong: string[] = [];
  for (const source of sources.filter(({ part }) => !tools.has(part))) {
    for (const specifier of source.imports.filter((name) => name.startsWith("."))) {
      const target = partOf(source, specifier);
      if (target === source.part || leaves.has(target)) continue;
      const isBelow = !leaves.has(source.part) && layerOf(target) > layerOf(source.part);
      if (!isBelow) wrong.push(`${source.path} -> ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("no file imports itself through others", () => {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      source.imports
        .filter((name) => name.startsWith("."))
        .map((name) => relative(sourceRoot, normalize(join(sourceRoot, dirname(source.path), name)))),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
    if (trail.includes(path) || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assert.deepEqual(cycles, []);
});

test("each package is imported by its owner only", () => {
  const wrong: string[] = [];
  for (const source of sources) {
    for (const specifier of source.imports.filter(
      (name) => !name.startsWith(".") && !name.startsWith("node:"),
    )) {
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
      if (!owners[name]?.includes(source.part)) wrong.push(`${source.path} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("process.env is read in one place", () => {
  const readers = sources.filter(({ text, part }) => /process\.env\b/.test(text) && !tools.has(part));
  assert.deepEqual(
    readers.map(({ path }) => path),
    ["config/environment.ts"],
  );
});

test("main.ts is the only file that ends the process", () => {
  const exits = sources.filter(({ text, part }) => /process\.exit\b/.test(text) && !tools.has(part));
  assert.deepEqual(
    exits.map(({ path }) => path),
    ["main.ts"],
  );
});

test("no file has a name that says nothing", () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|managers?)(\.ts|\/)/;
  assert.deepEqual(
    sources.map(({ path }) => path).filter((path) => vague.test(path)),
    [],
  );
});
