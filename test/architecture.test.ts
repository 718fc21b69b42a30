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
  ["cli"],
  ["create-gateway"],
  ["gateway"],
  ["announce", "app", "banner", "check-policy", "folder-lock", "log-line", "log-output", "token-command"],
  ["callable-address", "service-manager"],
  ["http", "console", "embedded"],
  ["api", "metrics"],
  ["audit"],
  ["streaming", "logs", "events", "pulls", "stats", "access", "tls", "docs", "tracing"],
  ["server"],
  ["limits"],
  ["runtimes"],
  ["inventory"],
  ["containerd"],
  ["cri", "routes"],
  ["gen"],
  ["wire"],
];
/** Anyone may import these, and they import nothing but each other. */
const leaves: ReadonlySet<string> = new Set([
  ...["config", "errors", "files", "grants", "local-gateway", "nearest", "printable", "shell", "version"],
]);
/** Packages of their own within ours: they import nothing of the rest and no package. */
const apart: ReadonlySet<string> = new Set(["client"]);
/** What may import them. */
const usersOfApart: ReadonlySet<string> = new Set(["cli"]);
/** Development only: nothing of the product imports it. */
const tools: ReadonlySet<string> = new Set(["codegen"]);

/** package -> the folders that may import it. */
const owners: { readonly [name: string]: readonly string[] } = {
  "@grpc/grpc-js": ["cri"],
  "@opentelemetry/api": ["gateway", "tracing"],
  "@opentelemetry/sdk-trace-base": ["tracing"],
  "@opentelemetry/exporter-trace-otlp-http": ["tracing"],
  "@opentelemetry/resources": ["tracing"],
  jose: ["access"],
  re2js: ["logs"],
  undici: ["streaming"],
  yaml: ["cli", "wire"],
  tar: ["cli"],
  ws: ["cli"],
  fastify: ["api", "http", "server"],
  "@fastify/websocket": ["api", "http"],
  "@sinclair/typebox": ["codegen", "config", "routes"],
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
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
const layerOf = (part: string): number => layers.findIndex((layer) => layer.includes(part));

test("every folder of src has a place in the layers", () => {
  const unknown = sources.filter(
    ({ part }) => layerOf(part) === -1 && !leaves.has(part) && !tools.has(part) && !apart.has(part),
  );
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
      const isApart = apart.has(source.part) || (apart.has(target) && !usersOfApart.has(source.part));
      if (target === source.part || (leaves.has(target) && !isApart)) continue;
      const isBelow =
        !isApart && !leaves.has(source.part) && (apart.has(target) || layerOf(target) > layerOf(source.part));
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

test("the client uses nothing that only Node has", () => {
  const nodes = /\b(Buffer|process|global)\.|\b(require|setImmediate)\(|"node:/;
  const using = sources.filter(({ part, text }) => apart.has(part) && nodes.test(withoutComments(text)));
  assert.deepEqual(
    using.map(({ path }) => path),
    [],
  );
  assert.match("process.env.HOME", nodes);
});

test("process.env is read in one place", () => {
  const readers = sources.filter(({ text, part }) => /process\.env\b/.test(text) && !tools.has(part));
  assert.deepEqual(
    readers.map(({ path }) => path),
    ["config/environment.ts"],
  );
});

test("no code asks which RPC it is: what is known of an RPC is in its row of rpc-rules.ts", () => {
  const asking = sources.filter(
    ({ text, part }) => /\brpc [!=]== "(Runtime|Image)Service/.test(text) && !tools.has(part),
  );
  assert.deepEqual(
    asking.map(({ path }) => path),
    [],
  );
});

test("main.ts is the only file that ends the process", () => {
  const exits = sources.filter(({ text, part }) => /process\.exit\b/.test(text) && !tools.has(part));
  assert.deepEqual(
    exits.map(({ path }) => path),
    ["main.ts"],
  );
});

/** What only src/server may do, and src/cri/header-limit.ts with grpc-js; each with examples. */
const internals: readonly {
  readonly what: string;
  readonly pattern: RegExp;
  readonly examples: readonly string[];
}[] = [
  {
    what: "a property or method of Node that is not documented",
    pattern:
      /\b(httpAllowHalfOpen|detachSocket|assignSocket|shouldKeepAlive|maxHeaderSize|websocketUnmask)\b/,
    examples: ["response.shouldKeepAlive = false", "{ httpAllowHalfOpen: true }"],
  },
  {
    what: "IncomingMessage.upgrade",
    pattern: /(?<!headers\??)\.upgrade\b(?!\()|\b[gs]et upgrade\(/,
    examples: ["request.raw.upgrade", "get upgrade() {"],
  },
  {
    what: "a private member",
    pattern: /\._[a-z]|\[["'`]_/i,
    examples: ["socket._httpMessage", "socket?._handle", 'call["_handle"]'],
  },
  {
    what: "a symbol of somebody else's",
    pattern: /getOwnPropertySymbols/,
    examples: ["Object.getOwnPropertySymbols(server)"],
  },
  {
    what: "a class of Node as the base of one of ours",
    pattern:
      /\bextends (\w+\.)?(Agent|IncomingMessage|OutgoingMessage|Server|ServerResponse|Socket|TLSSocket) ?\{/,
    examples: ["class Message extends IncomingMessage {", "class extends http.Server {"],
  },
  {
    what: "a changed object or class",
    pattern: /\.prototype\b|\bdefineProperty\b|\bReflect\.(set|delete|define)/,
    examples: [
      "Connector.prototype",
      'Object.defineProperty(server, "x"',
      'Reflect.deleteProperty(http, "x")',
    ],
  },
  {
    what: "a replaced method",
    pattern:
      /\b(server|listener|socket|connection|request|response|session)\.(?!on[a-z])\w+ = (async )?(function\b|\([^()]*\) =>)/,
    examples: ["server.closeAllConnections = () => {", "socket.write = function (chunk) {"],
  },
  {
    what: "listeners or events of somebody else's",
    pattern: /\.(raw)?listeners\(|\.emit\(/i,
    examples: ['connection.listeners("data")', 'response.emit("close")'],
  },
  {
    what: "Node's internal modules",
    pattern: /\b(internalBinding|process\.binding)\b|"node:_|--expose-internals/,
    examples: ['process.binding("http_parser")', 'from "node:_http_server"'],
  },
  {
    what: "a file inside of a package",
    pattern: /from "(@[\w-]+\/)?[\w-]+\/(build|dist|lib|src)\//,
    examples: ['from "@grpc/grpc-js/build/src/transport.js"', 'from "ws/lib/receiver.js"'],
  },
];
const touched = (text: string): readonly string[] =>
  internals.filter(({ pattern }) => pattern.test(text)).map(({ what }) => what);
const mayTouchInternals = ({ part, path }: Source): boolean =>
  path.startsWith("server/node/") ||
  part === "codegen" ||
  path === "cri/header-limit.ts" ||
  path === "streaming/dial.ts";

test("src/server/node alone touches Node's internals", () => {
  const touching = sources
    .filter((source) => !mayTouchInternals(source))
    .flatMap(({ path, text }) => touched(text).map((what) => `${path}: ${what}`));
  assert.deepEqual(touching, []);
});

test("the patterns for Node's internals find their examples, and what each file of src/server/node does", () => {
  for (const { what, pattern, examples } of internals)
    for (const example of examples) assert.match(example, pattern, what);
  const unseen = sources.filter(
    (source) => source.path.startsWith("server/node/") && touched(source.text).length === 0,
  );
  assert.deepEqual(
    unseen.map(({ path }) => path),
    [],
  );
});

test("src/server/node/README.md describes each file of the folder, and names tests that exist", () => {
  const readme = readFileSync(join(sourceRoot, "server/node/README.md"), "utf8");
  const described = [...readme.matchAll(/^## (\S+)$/gm)].map((match) => match[1]);
  const files = sources
    .filter(({ path }) => path.startsWith("server/node/"))
    .map(({ path }) => path.slice("server/node/".length));
  assert.deepEqual(described.toSorted(), [...files, "src/cri/header-limit.ts"].toSorted());
  for (const [, path = "", titles = ""] of readme.matchAll(
    /`(test\/[\w/.-]+\.test\.ts)`(?: \(([^)]+)\))?/g,
  )) {
    const tests = readFileSync(join(process.cwd(), path), "utf8");
    for (const [, title = ""] of titles.matchAll(/"([^"]+)"/g))
      assert.ok(tests.includes(`test("${title}`), title);
  }
  const tables = readme.split("| | |\n").slice(1);
  for (const table of tables) {
    for (const row of ["ehaviour", "What we do", "Needed", "Upstream", "Without it", "Test"]) {
      assert.match(table, new RegExp(`^\\|.*${row} \\| \\S`, "m"));
    }
  }
});

test("no file has a name that says nothing", () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|managers?)(\.ts|\/)/;
  assert.deepEqual(
    sources.map(({ path }) => path).filter((path) => vague.test(path)),
    [],
  );
});
