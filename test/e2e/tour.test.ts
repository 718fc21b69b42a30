/** The documents' commands of crest and curl, run as they are: every line runs, and prints what the text around it says. */
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { stringify } from "yaml";
import { busyboxImage, readBusybox } from "../../src/embedded/busybox.ts";
import { documentedBlocks, documentedScript, inlineCommands, userDocuments } from "../support/documents.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { repositoryRoot } from "../support/repository.ts";
import { mainFile } from "../support/spawn-crest.ts";
import { newFolder } from "./support/gateway.ts";
import { push } from "./support/images.ts";
import { reasonToSkip } from "./support/machine.ts";
import { runContainer, runPod, shell } from "./support/pods.ts";
import { runToEnd } from "./support/program.ts";
import { commandsOf, runScript } from "./support/script.ts";
import { useGateway } from "./support/suite.ts";

const skip = await reasonToSkip({ registry: true });

let registry: Registry;
const crest = useGateway(skip, {
  async prepare() {
    registry = await startRegistry();
    await push(registry, busyboxImage(await readBusybox()), { name: "library/busybox" });
  },
});
const folder = newFolder();
const crictlLogs = "/tmp/crest-e2e-crictl-logs";
after(async () => {
  await registry?.close();
  for (const path of [folder, crictlLogs]) rmSync(path, { recursive: true, force: true });
});

/** A command of the tour, by a part of it, and what it must print. */
type Expectation = readonly [part: string, check?: (output: string) => void];

const id = "[0-9a-f]{64}";
/** Nothing, as a 204 has it. */
const nothing = (output: string) => assert.equal(output, "");
/** The members of a JSON answer, each as its text. */
const says =
  (...texts: readonly (string | RegExp)[]) =>
  (output: string) => {
    const json = JSON.stringify(JSON.parse(output));
    for (const text of texts) {
      assert.ok(typeof text === "string" ? json.includes(text) : text.test(json), `${text}: ${json}`);
    }
  };

/** Every command of the tour, in its order. */
const expectations: readonly Expectation[] = [
  ["crest run -d", (output) => assert.match(output, new RegExp(`^${id}\n$`))],
  ["crest logs web", (output) => assert.equal(output, "hello from here\n")],
  ["crest ps", (output) => assert.match(output, /^CONTAINER.*\n[0-9a-f]+ +web +.*busybox.* running /)],
  ["crest exec web", (output) => assert.match(output, /^here\nbin\n/)],
  ["crest stats", (output) => assert.match(output, /\bweb\b/)],
  ["crest events", (output) => assert.match(output, /container\.started .*web/)],
  ["crest inspect web", says('"state":"CONTAINER_RUNNING"', '"name":"web"')],
  ["--show-curl", (output) => assert.match(output, /^curl .*\/v1\/containers\/web\n$/)],
  ["crest rmp -f web", (output) => assert.match(output, /\S/)],

  ["API="],
  ["TOKEN="],
  ["auth="],
  ["$API/v1/version", says('"runtimeName":"containerd"')],
  ["$API/v1/images", says('"docker.io/library/busybox:latest"')],

  ["POD=$(", (output) => assert.match(output, new RegExp(`^/v1/pods/${id}$`))],
  [
    "$API$POD",
    says('"state":"SANDBOX_READY"', '"name":"web"', '"namespace":"demo"', /"ip":"\d+\.\d+\.\d+\.\d+"/),
  ],
  ["labelSelector=app=web", says(/"items":\[\{"id":/, '"app":"web"')],

  ["CONTAINER=$(", (output) => assert.match(output, new RegExp(`^/v1/containers/${id}$`))],
  ["$CONTAINER/start", nothing],
  ["$API$CONTAINER", says('"state":"CONTAINER_RUNNING"', '"name":"app"')],

  ["$CONTAINER/logs", (output) => assert.equal(output, "hello from the node\n")],
  [
    "$API/v1/events",
    (output) => {
      assert.match(output, / pod\.ready demo web /);
      assert.match(output, / container\.started demo web app /);
    },
  ],
  ["$CONTAINER/exec", says('"exitCode":3', '"stdout":"the node\\nbin\\n', '"lossy":false')],
  ["$CONTAINER/stats", says('"usageCoreNanoSeconds":{"value":"', '"workingSetBytes":{"value":"')],

  ["cut -c1-27", says('"state":"CONTAINER_RUNNING"')],
  ["demo%2Fweb%2Fapp", says('"state":"CONTAINER_RUNNING"', '"name":"app"')],
  ['"comand"', says('"status":400', '"pointer":"/comand"', "(did you mean command?)")],

  ["$CONTAINER/stop?timeout=1", nothing],
  ["-X DELETE $API$CONTAINER", nothing],
  ["$POD/stop", nothing],
  ["-X DELETE $API$POD", nothing],

  ["REGISTRY="],
  ["/v1/images/pull", says(new RegExp(`^\\{"imageRef":"sha256:${id}"\\}$`))],
  [
    "$API/v1/images/$REGISTRY/library/busybox:latest",
    says('/library/busybox:latest"]', '"repoDigests":["127.0.0.1:'),
  ],
  ["?dryRun=true", says('"dryRun":true', '/library/busybox:latest"]')],

  ["/v1/run?wait=true", says('"exitCode":0', '"stdout":"Hello\\n"')],
  ["$API/v1/grants", says('{"grant":"exec"}', '{"grant":"host"}')],
];

test("the tour runs from its first line to its last, and each command prints what the text says", {
  skip,
}, async () => {
  const script = documentedScript("sh tour");
  const commands = commandsOf(script);
  for (const [index, { text }] of commands.entries()) {
    const part = expectations[index]?.[0];
    assert.ok(
      part !== undefined && text.includes(part),
      `no expectation for "${text}", after the ${index} before it`,
    );
  }
  assert.equal(commands.length, expectations.length, "the tour lacks a command that is expected");

  const { address, token } = crest();
  const run = await runScript(script, folder, {
    ...{ API: address, TOKEN: token, REGISTRY: registry.address },
    ...commandEnvironment(address, token),
  });
  assert.equal(run.code, 0, `${run.stdout}\n${run.stderr}`);
  assert.equal(run.stderr, "");

  const outputs = [...run.outputs];
  for (const [index, { text, first, last }] of commands.entries()) {
    const ran = [...run.lines].some((line) => line >= first && line <= last);
    assert.ok(ran, `bash did not run "${text}"`);
    if (!/\b(curl|crest) /.test(text)) continue;
    const output = outputs.shift();
    assert.ok(output !== undefined, `no output of "${text}"`);
    expectations[index]?.[1]?.(output);
  }
  assert.deepEqual(outputs, []);
});

/** For scripts that say `crest`, as the alias of the README has it. */
function commandEnvironment(address: string, token: string) {
  const programs = join(folder, "programs");
  mkdirSync(programs, { recursive: true });
  const path = join(programs, "crest");
  if (!existsSync(path)) symlinkSync(mainFile(), path);
  assert.ok(
    readFileSync(join(repositoryRoot(), "README.md"), "utf8").includes('alias crest="$PWD/dist/src/main.js"'),
  );
  return {
    PATH: `${programs}:${process.env.PATH}`,
    ...{ CREST_SERVER: address, CREST_TOKEN: token, HOME: folder, XDG_CONFIG_HOME: undefined },
  };
}

test("the page about the command line runs, and leaves nothing", { skip }, async () => {
  const { address, token } = crest();
  const script = join(folder, "cli.sh");
  writeFileSync(script, documentedScript("sh cli"));
  const env = { API: address, TOKEN: token, ...commandEnvironment(address, token) };
  const { code, stdout, stderr } = await runToEnd(["bash", "-eu", "-o", "pipefail", script], {
    env,
    cwd: folder,
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /^node1 +yes +http:/m);
  assert.match(stdout, /^curl -sS /m);
});

test("the documents' other curl commands run as they are", { skip }, async () => {
  const fenced = documentedBlocks()
    // These have tests of their own.
    .filter(({ info }) => info !== "sh tour" && info !== "sh callers")
    .map(({ text }) =>
      text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => /^([A-Z]+=\$\()?curl /.test(line))
        .join("\n"),
    );
  const inline = userDocuments().flatMap(({ text }) => inlineCommands(text, "curl"));
  const commands = [...fenced, ...inline].filter((text) => text !== "");
  const fixtures = join(repositoryRoot(), "test", "e2e", "support", "crictl");
  copyFileSync(join(fixtures, "pod-config.json"), join(folder, "pod-config.json"));
  const container = JSON.parse(readFileSync(join(fixtures, "container-config.json"), "utf8"));
  writeFileSync(join(folder, "container-config.yaml"), stringify(container));
  const { address, token } = crest();
  const pod = await runPod(crest(), {
    metadata: { name: "web", namespace: "demo" },
    labels: { app: "web" },
  });
  const running = await runContainer(crest(), pod, {
    metadata: { name: "main" },
    ...shell("echo an error; sleep 3600"),
  });
  const env = {
    ...{ API: address, TOKEN: token, auth: `Authorization: Bearer ${token}` },
    ...{
      key: "a-key-of-the-documents",
      POD: pod.path,
      CONTAINER: running.path,
      IMAGE: `${registry.address}/library/busybox:latest`,
    },
  };
  for (const command of commands) {
    // A stream without an end gets one.
    const strict = `set -eu; curl() { timeout 4 curl --silent --show-error --fail-with-body "$@" || [ $? = 124 ]; }; ${command}`;
    const { code, stdout, stderr } = await runToEnd(["bash", "-c", strict], { env, cwd: folder });
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
  }
  assert.ok(commands.length > 0);
});
