/**
 * `node dist/test/machine/run-times.js [--rounds 7]`: how long `crest run --rm` takes, as times what `ctr run --rm` takes, and
 * what crictl takes for runp, create, start and rmp, where crictl is on PATH. As root. In turn, so that all have the same noise.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ratio, spread } from "../bench/report/statistics.ts";
import { number, range, table } from "../bench/report/table.ts";
import { startGateway } from "../e2e/support/gateway.ts";
import { crestCommand } from "../e2e/support/program.ts";

interface Side {
  readonly name: string;
  /** Command lines, one after the other; `ID` is what the one before printed. */
  readonly lines: readonly (readonly string[])[];
}

const { values: flags } = parseArgs({ options: { rounds: { type: "string", default: "7" } } });
const rounds = Number(flags.rounds);
const image = "docker.io/library/busybox:latest";

const folder = mkdtempSync(join(tmpdir(), "crest-run-times-"));
const gateway = await startGateway("up");
const socket = join(gateway.dataDir, "containerd.sock");
const environment = { ...process.env, CREST_DATA_DIR: gateway.dataDir };

/** Seconds that a side takes. */
function timeOf({ name, lines }: Side): number {
  const start = performance.now();
  let id = "";
  for (const line of lines) {
    const [program = "", ...args] = line.map((word) => word.replaceAll("ID", id));
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: environment });
    if (status !== 0) throw new Error(`${name}: ${line.join(" ")} ended with ${status}: ${stdout}${stderr}`);
    id = stdout.trim() || id;
  }
  return (performance.now() - start) / 1000;
}

let count = 0;
function sides(): readonly Side[] {
  const name = `times-${count++}`;
  const pod = join(folder, "pod.json");
  const container = join(folder, "container.json");
  writeFileSync(
    pod,
    JSON.stringify({ metadata: { name, namespace: "default", uid: name }, log_directory: folder }),
  );
  writeFileSync(
    container,
    JSON.stringify({ metadata: { name }, image: { image }, command: ["true"], log_path: "log" }),
  );
  const crictl = ["crictl", "--runtime-endpoint", `unix://${socket}`, "--image-endpoint", `unix://${socket}`];
  const hasCrictl = spawnSync("crictl", ["--version"]).error === undefined;
  return [
    { name: "crest run --rm", lines: [crestCommand("run", "--rm", "--name", name, image, "true")] },
    {
      name: "ctr run --rm (no pod, no network)",
      lines: [["ctr", "--address", socket, "--namespace", "k8s.io", "run", "--rm", image, name, "true"]],
    },
    ...(hasCrictl
      ? [
          {
            name: "crictl run, rmp",
            lines: [
              [...crictl, "run", "--no-pull", container, pod],
              ["sh", "-c", `${crictl.join(" ")} rmp -f $(${crictl.join(" ")} pods -q --name ${name})`],
            ],
          },
        ]
      : []),
  ];
}

try {
  const results = new Map<string, number[]>();
  for (let round = -1; round < rounds; round++) {
    for (const side of sides()) {
      const seconds = timeOf(side);
      // The first round fills the caches.
      if (round >= 0) results.set(side.name, [...(results.get(side.name) ?? []), seconds]);
    }
  }
  const [base = []] = [...results.entries()].filter(([name]) => name.startsWith("ctr")).map(([, all]) => all);
  const rows = [...results].map(([name, all]) => [
    name,
    number(spread(all).median * 1000),
    range(ratio(all, base)),
  ]);
  console.log(table(["", "ms", "times ctr run"], rows));
} finally {
  await gateway.close();
  rmSync(folder, { recursive: true, force: true });
}
