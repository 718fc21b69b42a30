/**
 * `npm run test:fuzz -- [--seed N] [--long]`: Schemathesis makes requests from the published document and
 * sends them to `crest up`, on a real containerd. Fails when an answer is not as the document says, when a
 * request is answered by 500 or 503 or by nothing, when the gateway takes what the document and its tolerant
 * forms exclude, and when something is left on the machine. About two minutes; ten with `--long`.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Gateway, startGateway } from "../e2e/support/gateway.ts";
import { push, smallImage } from "../e2e/support/images.ts";
import { reasonToSkip } from "../e2e/support/machine.ts";
import { image, runContainer, runPod } from "../e2e/support/pods.ts";
import { marksOf, tracesOf } from "../e2e/support/traces.ts";
import { type OpenApiDocument, publishedDocument } from "../support/openapi-document.ts";
import { startRegistry } from "../support/registry.ts";
import { coveredDocument, tolerantFuzzedDocument } from "./fuzzed-document.ts";
import { startGuard } from "./guard.ts";
import { installSchemathesis } from "./install-schemathesis.ts";
import { tallyOf, unexplained } from "./verdict.ts";

interface Plan {
  readonly seed: number;
  /** Random requests to each operation. */
  readonly examples: number;
}

/** One run of Schemathesis. */
interface Round {
  readonly phase: "coverage" | "fuzzing";
  readonly document: OpenApiDocument;
  readonly excludedChecks: readonly string[];
}

const usualSeed = 1;
/** Nobody listens on port 1. */
const unreachable = "127.0.0.1:1/none/none:none";
/** Longer than any answer may take: what waits is held to a second by the guard. */
const requestTimeoutSeconds = 30;

/** 502 is judged by what the runtime said; what is documented besides is right on some runtime. */
const configuration = `
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501, 502, 504]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 405, 406, 409, 413, 415, 422, 426, 501]
`;

/** Valid data may be refused for what no schema says; GET of the image "pull" is rightly among what is allowed. */
const neverChecked = ["positive_data_acceptance", "allow_header_conformance"];

const published = publishedDocument();
const rounds: readonly Round[] = [
  // Every union of the tolerant document would multiply what is tried here.
  {
    phase: "coverage",
    document: coveredDocument(published),
    excludedChecks: [...neverChecked, "negative_data_rejection"],
  },
  { phase: "fuzzing", document: tolerantFuzzedDocument(published), excludedChecks: neverChecked },
];

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function planOf(args: readonly string[]): Plan {
  const options = { seed: { type: "string" }, long: { type: "boolean" } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const seed = Number(values.seed ?? usualSeed);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`Cannot use the seed ${values.seed}`);
  return { seed, examples: values.long ? 500 : 30 };
}

/** Answers what was wrong, one line each. */
async function fuzz(program: string, plan: Plan, ending: AbortSignal): Promise<readonly string[]> {
  const scratch = mkdtempSync(join(tmpdir(), "crest-fuzz-"));
  const wrong: string[] = [];
  let marks: readonly string[] = [];
  const cleaning: (() => Promise<void> | void)[] = [() => rmSync(scratch, { recursive: true, force: true })];
  try {
    mkdirSync(join(scratch, "files"));
    writeFileSync(join(scratch, "schemathesis.toml"), configuration);
    const registry = await startRegistry();
    cleaning.unshift(() => registry.close());
    const [removable = ""] = await push(registry, smallImage("fuzz"), { name: "fuzz" });
    const gateway = await startGateway("up");
    cleaning.unshift(() => gateway.close());
    let hasEnded = false;
    void gateway.process.exit.then(() => {
      hasEnded = true;
    });
    const pod = await runPod(gateway);
    const container = await runContainer(gateway, pod);
    const guard = await startGuard({
      target: gateway.address,
      lasting: { pods: pod.id, containers: container.id },
      ...{ removable, scratch, images: [image, image, unreachable], pullable: [removable, unreachable] },
    });
    cleaning.unshift(() => guard.close());
    for (const round of rounds) {
      const file = join(scratch, `${round.phase}.json`);
      writeFileSync(file, JSON.stringify(round.document));
      const args = [
        ...["run", file, "--url", guard.address, "--header", `Authorization: Bearer ${gateway.token}`],
        ...["--phases", round.phase, "--checks", "all", "--exclude-checks", round.excludedChecks.join(",")],
        ...["--seed", `${plan.seed}`, "--max-examples", `${plan.examples}`, "--continue-on-failure"],
        ...["--request-timeout", `${requestTimeoutSeconds}`, "--generation-database", "none", "--no-color"],
        ...["--warnings", "off"],
      ];
      const code = await run(program, args, scratch, ending);
      if (code !== 0) wrong.push(`${round.phase}: schemathesis ended with ${code}`);
    }
    print(`\n${tallyOf(guard.seen)}`);
    const errors = gateway.process.output().split("\n");
    wrong.push(...unexplained(guard.seen), ...errors.filter((line) => line.includes('"level":"error"')));
    if (hasEnded)
      wrong.push(`The gateway ended:\n${gateway.process.output().split("\n").slice(-20).join("\n")}`);
    else marks = marksOf(gateway.dataDir, await idsOf(gateway));
  } finally {
    for (const clean of cleaning) await clean();
  }
  return [...wrong, ...tracesOf(marks).map((trace) => `left behind: ${trace}`)];
}

/** All pods and containers that there are. */
async function idsOf(gateway: Gateway): Promise<readonly string[]> {
  const { body: pods } = await gateway.get<{ items: { id: string }[] }>("/v1/pods");
  const { body: containers } = await gateway.get<{ containers: { id: string }[] }>("/v1/containers");
  return [...pods.items, ...containers.containers].map(({ id }) => id);
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<number | null> {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "inherit", "inherit"], signal });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

async function main(args: readonly string[]): Promise<void> {
  const plan = planOf(args);
  const missing = await reasonToSkip({ registry: true });
  if (missing !== false) throw new Error(`Cannot fuzz: it ${missing}`);
  const ending = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ending.abort());
  const program = await installSchemathesis(print);
  print(`Seed ${plan.seed}, ${plan.examples} random requests to each operation\n`);
  const wrong = await fuzz(program, plan, ending.signal);
  for (const line of wrong) print(line);
  print(
    wrong.length === 0 ? `Nothing wrong (seed ${plan.seed})` : `Wrong: ${wrong.length} (seed ${plan.seed})`,
  );
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`fuzz: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
