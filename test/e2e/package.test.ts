/** The npm package: what is in it, that it installs and runs where nothing of ours is, and that programs can import it. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { version } from "../../src/version.ts";
import { documentedScript } from "../support/documents.ts";
import { repositoryRoot } from "../support/repository.ts";
import { command, exitCodeOf, openSession } from "./clients/session.ts";
import { type Api, bodyOf, createApi } from "./support/api.ts";
import { newFolder, readyLine, removeFolder } from "./support/gateway.ts";
import { reasonToSkip } from "./support/machine.ts";
import { exec, removePodAndCgroup, runContainer, runPod } from "./support/pods.ts";
import { type Program, type ProgramOptions, runToEnd, start } from "./support/program.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip();
const root = repositoryRoot();
/** Has the package and what npm installed for it, and nothing else. */
const folder = newFolder();
const upstream = useGateway(skip);

/** What npm tells the scripts that it runs would have another npm work in their folder. */
const inFolder: ProgramOptions = { cwd: folder, env: { npm_config_local_prefix: undefined } };
const quiet = ["--no-fund", "--no-audit"];

interface Packed {
  readonly filename: string;
  readonly integrity: string;
  readonly files: readonly { readonly path: string }[];
}

let packed: Packed;
/** What npm had to say when it installed the package. */
let complaints: string;
const programs = new Set<Program>();
before(async () => {
  // What prepack prints would stand before the answer.
  const answer = await run(
    ["npm", "pack", "--json", "--foreground-scripts=false", `--pack-destination=${folder}`],
    {
      ...inFolder,
      cwd: root,
    },
  );
  [packed] = JSON.parse(answer) as [Packed];
  const installing = await runToEnd(
    ["npm", "install", "--omit=dev", ...quiet, join(folder, packed.filename)],
    inFolder,
  );
  complaints = installing.stderr;
  assert.equal(installing.code, 0, complaints);
});
after(async () => {
  for (const program of programs) await stop(program);
  await removeFolder(folder);
});

/** Runs a program in the folder of the installed package. @returns What it printed. */
async function run(argv: readonly [string, ...string[]], options = inFolder): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(argv, options);
  assert.equal(code, 0, `${argv.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

async function stop(program: Program): Promise<void> {
  programs.delete(program);
  program.killGroup("SIGTERM");
  await program.ended;
}

const socket = () => join(upstream().dataDir, "containerd.sock");

test("the package holds the program, its types, the document, the licenses and the bill of materials, and nothing of its making", () => {
  const paths = packed.files.map(({ path }) => path);
  const others = paths.filter(
    (path) => !/^dist\/src\/(.*\.js|client\/.*\.d\.ts)$|^src\/docs\/assets\/[^/]*\.(js|css)$/.test(path),
  );
  assert.deepEqual(others.sort(), [
    "LICENSE",
    "README.md",
    "THIRD-PARTY.md",
    "dist/src/config/options.d.ts",
    "dist/src/create-gateway.d.ts",
    "dist/src/errors.d.ts",
    "dist/src/grants.d.ts",
    "dist/src/index.d.ts",
    "dist/src/version.d.ts",
    "openapi/openapi.json",
    "package.json",
    "sbom.cdx.json",
  ]);
  assert.deepEqual(
    paths.filter((path) => path.includes("codegen") || path.includes("test")),
    [],
  );
  const installed = join(folder, "node_modules", "crest-cri");
  const withMaps = paths.filter((path) =>
    /sourceMappingURL=/.test(readFileSync(join(installed, path), "utf8")),
  );
  assert.deepEqual(withMaps, []);
});

test("of what is installed with it one package alone has a script, and no tool comes along", () => {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
  const installed = Object.entries(lock.packages as { [path: string]: { hasInstallScript?: boolean } });
  // That of protobufjs, which comes with grpc-js, warns of version ranges and does nothing else.
  assert.deepEqual(
    installed.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path),
    ["node_modules/protobufjs"],
  );
  const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // Some of what the tests use is what fastify and grpc-js use, too.
  const shared = ["@grpc/proto-loader", "@types/node", "ajv"];
  assert.deepEqual(
    Object.keys(devDependencies).filter((name) => `node_modules/${name}` in lock.packages),
    shared,
  );
});

test("its bill of materials lists what npm ci installs without what is for development, and nothing else", async () => {
  const clone = newFolder();
  try {
    for (const name of ["package.json", "package-lock.json"])
      copyFileSync(join(root, name), join(clone, name));
    await run(["npm", "ci", "--omit=dev", "--ignore-scripts", ...quiet], { ...inFolder, cwd: clone });
    const found = JSON.parse(readFileSync(join(clone, "node_modules", ".package-lock.json"), "utf8"));
    const installed = Object.entries(found.packages as { [path: string]: { version: string } });
    const purls = installed.map(
      ([path, { version: its }]) =>
        `pkg:npm/${path.split("node_modules/").at(-1)?.replace("@", "%40")}@${its}`,
    );
    const sbom = JSON.parse(readFileSync(join(folder, "node_modules", "crest-cri", "sbom.cdx.json"), "utf8"));
    const listed = (sbom.components as readonly { purl: string }[]).map(({ purl }) => purl);
    assert.ok(listed.length > 50);
    assert.deepEqual(listed.sort(), purls.sort());
  } finally {
    await removeFolder(clone);
  }
});

test("anyone can make the same package again: of the sources in another folder come the same bytes", async () => {
  const clone = newFolder();
  try {
    const copy = (name: string) =>
      cpSync(join(root, name), join(clone, name), { recursive: true, preserveTimestamps: true });
    const sources = ["src", "openapi", "test", "package.json", "package-lock.json", "tsconfig.json"];
    for (const name of [...sources, "README.md", "LICENSE", "THIRD-PARTY.md"]) copy(name);
    // Each package is a link: what a build may remove in the folder is no more than that.
    mkdirSync(join(clone, "node_modules"));
    for (const name of readdirSync(join(root, "node_modules")).filter((one) => !one.startsWith(".")))
      symlinkSync(join(root, "node_modules", name), join(clone, "node_modules", name));
    copy(join("node_modules", ".package-lock.json"));
    const args = [
      "npm",
      "pack",
      "--json",
      "--foreground-scripts=false",
      `--pack-destination=${clone}`,
    ] as const;
    const [again] = JSON.parse(await run(args, { ...inFolder, cwd: clone })) as [Packed];
    assert.equal(again.integrity, packed.integrity);
  } finally {
    await removeFolder(clone);
  }
});

test("npm installs it without a warning of engines, on the Node that runs this too", () => {
  assert.doesNotMatch(complaints, /EBADENGINE|ERESOLVE|deprecated/);
});

interface Served {
  readonly api: Api;
  readonly address: string;
  readonly token: string;
}

/** Has `use` ask what `crest serve` answers, which `crest` starts with its files in `dataDir`. */
async function serve(
  crest: readonly [string, ...string[]],
  dataDir: string,
  use: (served: Served) => Promise<void>,
): Promise<void> {
  const flags = [`--runtime-endpoint=${socket()}`, `--data-dir=${dataDir}`, "--listen=127.0.0.1:0", "-A"];
  const program = start([...crest, "serve", ...flags], inFolder);
  try {
    const [, address = ""] = await program.until(readyLine);
    programs.add(program);
    const token = readFileSync(join(dataDir, "token"), "utf8").trim();
    const api = createApi(address, token);
    await use({ api, address, token });
    api.close();
  } finally {
    if (programs.has(program)) await stop(program);
    await removeFolder(dataDir);
  }
}

const npx24 = ["npx", "--yes", "--package=node@24", "--"] as const;

for (const [node, crest] of [
  [process.version, ["npx", "crest-cri"]],
  ["v24.", [...npx24, "crest"]],
] as const) {
  test(`${crest.join(" ")} serves, and its version is the same wherever it says one`, { skip }, async () => {
    const said = await run([...crest, "--version"]);
    assert.ok(said.startsWith(`crest ${version} (CRI v1, Node ${node}`), said);
    const document = JSON.parse(await run([...crest, "openapi"]));
    assert.equal(document.info.version, version);

    const dataDir = newFolder();
    await serve(crest, dataDir, async ({ api, address }) => {
      assert.equal(await run(["curl", "--silent", "--fail", `${address}/readyz`]), "ok\n");
      const answer = await api.get<{ runtimeName: string }>("/v1/version");
      assert.equal(bodyOf(answer).runtimeName, "containerd");
      assert.equal(answer.headers["crest-version"], version);
      assert.deepEqual(bodyOf(await api.get("/openapi.json")), document);
      for (const path of ["/docs", "/docs/assets/theme.css"]) bodyOf(await api.get(path));

      // Commands find it by its data folder.
      const env = { ...inFolder.env, CREST_DATA_DIR: dataDir };
      const command = (...words: readonly string[]) => run([...crest, ...words], { ...inFolder, env });
      assert.match(await command("ps"), /^CONTAINER +/);
      assert.match(await command("--help"), /^Usage: crest COMMAND/m);
      assert.match(await command("__complete", "bash", "ex"), /^exec$/m);
      const pod = await runPod(api, {});
      const container = await runContainer(api, pod, {});
      assert.match(await command("exec", container.id, "echo", "hello"), /^hello\n$/);
      await removePodAndCgroup(api, pod);
    });
  });
}

test("under Node's permission model it reads its packages and its folder, writes the latter, and runs nothing", {
  skip,
}, async () => {
  const dataDir = newFolder();
  // The documented command's own permissions, for the folders of this test.
  const permissions = Array.from(
    documentedScript("sh permissions").matchAll(/--(?:permission|allow-fs-\w+=\S+)/g),
    ([flag]) => flag.replace("=node_modules/", `=${folder}/node_modules/`).replace("/var/lib/crest", dataDir),
  );
  assert.equal(permissions.length, 4);
  const node = [...npx24, "node", ...permissions] as const;
  const tries = [
    "readFileSync('/etc/passwd')",
    `readFileSync(${JSON.stringify(join(folder, "package.json"))})`,
    `writeFileSync(${JSON.stringify(join(folder, "node_modules", "made"))}, '')`,
    "spawnSync('/bin/true')",
  ];
  const script = tries.map(
    (code) => `try { ${code}; said.push(''); } catch (error) { said.push(error.code); }`,
  );
  const refused = await run([
    ...node,
    "--eval",
    `const { readFileSync, writeFileSync } = require("fs"), { spawnSync } = require("child_process"), said = [];
${script.join("\n")}
console.log(JSON.stringify(said));`,
  ]);
  assert.deepEqual(
    JSON.parse(refused),
    tries.map(() => "ERR_ACCESS_DENIED"),
  );

  await serve([...node, join("node_modules", ".bin", "crest")], dataDir, async ({ api, ...place }) => {
    for (const path of ["/openapi.json", "/docs/assets/theme.css"]) bodyOf(await api.get(path));
    const pod = await runPod(api);
    const container = await runContainer(api, pod);
    assert.equal((await exec(api, container, "echo out")).stdout, "out\n");
    const session = await openSession(place, `${container.path}/exec`, { query: command("exit 3") });
    assert.equal(exitCodeOf(await session.status()), 3);
    await removePodAndCgroup(api, pod);
  });
});

test("a TypeScript program starts and ends a gateway, and compiles against the types", { skip }, async () => {
  const dataDir = newFolder();
  const options = { dataDir, listen: "127.0.0.1:0", runtimeEndpoint: socket() };
  mkdirSync(join(folder, "program"));
  writeFileSync(join(folder, "program", "package.json"), '{ "type": "module" }\n');
  writeFileSync(
    join(folder, "program", "main.ts"),
    `
import { readFileSync } from "node:fs";
import { createGateway, type Gateway, type GatewayOptions, StartError, version } from "crest-cri";
import document from "crest-cri/openapi.json" with { type: "json" };

const lines: string[] = [];
const log = (text: string): void => void lines.push(text);
const options: GatewayOptions = {
  ...${JSON.stringify(options)},
  grants: { allow: { read: true } },
  logger: { info: log, warn: log, error: log },
};
const gateway: Gateway = createGateway(options);
const address: string = await gateway.listen();
const token = readFileSync(gateway.tokenFile ?? "", "utf8").trim();
const answer = await fetch(address + "/v1/version", { headers: { authorization: "Bearer " + token } });
await answer.text();
await gateway.close();
await gateway.close();
await gateway.closed;

const refusals: string[] = [];
for (const mistake of [{ drainMs: -1 }, { listen: "unix:/no/such/folder/socket" }]) {
  try {
    await createGateway({ ...options, ...mistake }).listen();
  } catch (error) {
    if (error instanceof StartError) refusals.push(error.message);
  }
}
console.log(JSON.stringify({
  version,
  refusals,
  said: lines.join("\\n"),
  status: answer.status,
  header: answer.headers.get("crest-version"),
  documented: document.info.version,
}));
`,
  );
  writeFileSync(join(folder, "program", "documented.ts"), documentedScript("ts embed"));
  const compilerOptions = {
    ...{ target: "es2023", lib: ["es2023"], module: "nodenext", strict: true, skipLibCheck: false },
    ...{ exactOptionalPropertyTypes: true, resolveJsonModule: true, outDir: "built" },
    ...{ types: ["node"], typeRoots: [join(root, "node_modules", "@types")] },
  };
  writeFileSync(
    join(folder, "program", "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["main.ts", "documented.ts"] }),
  );
  try {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    await run([process.execPath, compiler, "-p", join(folder, "program")]);
    const result = JSON.parse(await run([process.execPath, join("program", "built", "main.js")]));
    assert.deepEqual(
      [result.version, result.header, result.documented, result.status],
      [version, version, version, 200],
    );
    assert.match(result.said, /^Crest serves http:\/\/127\.0\.0\.1:\d+ in front of containerd \S+ at /);
    assert.equal(result.refusals.length, 2);
    assert.match(result.refusals[0], /^drainMs: must be a whole number from 0 to 86400000, got -1$/);
    assert.match(result.refusals[1], /^Cannot listen on \/no\/such\/folder\/socket: /);
  } finally {
    await removeFolder(dataDir);
  }
});
