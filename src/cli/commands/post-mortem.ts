/** `crest post-mortem` */
import type { ContainerExit, EarlierAttempt, PostMortem } from "../../client/index.ts";
import { printable } from "../../printable.ts";
import { quote } from "../../shell.ts";
import type { Run } from "../context.ts";
import { wholeNumber } from "../numbers.ts";
import { duration, timeOf } from "../output/age.ts";
import { eventLine } from "../output/event-line.ts";
import { type Fact, facts, section } from "../output/facts.ts";
import { imageName } from "../output/image-name.ts";
import { jsonBody, printJsonBody } from "../output/json.ts";
import { printYaml } from "../output/listing.ts";
import { shortId } from "../output/short-ids.ts";
import { memorySize } from "../output/sizes.ts";
import { stateName } from "../output/states.ts";
import { write } from "../terminal.ts";
import { checkName } from "./each.ts";

export const run: Run<"post-mortem"> = async ({ flags, operands, stdout, signal, connect }) => {
  const container = checkName(operands[0] ?? "");
  const query = { tailLines: flags.tail === undefined ? undefined : wholeNumber("--tail", flags.tail) };
  const { crest } = await connect();
  const path = `/v1/containers/${encodeURIComponent(container)}/post-mortem` as const;
  const response = await crest.request("GET", path, { query, signal });
  if (flags.output === "json") {
    await printJsonBody(response, stdout);
    return 0;
  }
  const answer = await jsonBody<PostMortem>(response);
  if (flags.output === "yaml") await printYaml(answer, stdout);
  else await write(stdout, postMortemText(answer));
  return 0;
};

export function postMortemText(all: PostMortem): string {
  const { cause, pod, memory, stopRequest: stop, log = [], events = [], attempts = [], missing } = all;
  const name = pod === undefined ? all.name : `${pod.namespace}/${pod.name}/${all.name}`;
  const heading: readonly Fact[] = [
    ["Container", `${shortId(all.id)}, attempt ${all.attempt}`],
    ["Pod", `${shortId(all.podSandboxId)}${pod === undefined ? "" : `, ${stateName(pod.state)}`}`],
    ["Image", imageName(all.image)],
    ["Command", all.command?.map(quote).join(" ")],
    ["State", all.removed ? "removed" : stateName(all.state)],
    ["Exit", exitText(all.exit)],
    ["Created", timeOf(all.createdAt)],
    ["Started", timeOf(all.startedAt)],
    ["Finished", timeOf(all.finishedAt)],
    ["Ran for", all.runTimeMs === undefined ? undefined : duration(all.runTimeMs)],
    ["Memory", memoryText(memory)],
    [
      "Asked to stop",
      stop && `${stop.time}, ${stop.action} of its ${stop.subject}, ${stop.graceSeconds} s to end by itself`,
    ],
  ];
  return (
    `${printable(`${name}: ${cause.text}`)}\n\n` +
    facts(heading) +
    section(
      `Log, the last ${log.length === 1 ? "line" : `${log.length} lines`}`,
      log.map(({ time = "", stream = "", text }) => [time.slice(0, 23), stream, text].join("  ").trim()),
    ) +
    section(
      "Events",
      events.flatMap((event) => eventLine(event) ?? []),
    ) +
    section("Earlier attempts", attempts.map(attemptText)) +
    section(
      "Other containers of the pod",
      (pod?.containers ?? [])
        .filter(({ id }) => id !== all.id)
        .map(
          ({ id, name, attempt, state }) =>
            `${name}, attempt ${attempt}, ${stateName(state)}, ${shortId(id)}`,
        ),
    ) +
    section(
      "Missing here",
      missing.map(({ part, reason }) => `${part}: ${reason}`),
    )
  );
}

function exitText(exit: ContainerExit | undefined): string | undefined {
  if (exit === undefined) return undefined;
  const { exitCode, signal, reason, message } = exit;
  return [`code ${exitCode}`, signal, reason, message].filter((text) => text).join(", ");
}

const attemptText = ({ id, attempt, state, exit, finishedAt, runTimeMs }: EarlierAttempt): string =>
  [
    `attempt ${attempt}`,
    exitText(exit) ?? stateName(state),
    timeOf(finishedAt),
    runTimeMs === undefined ? undefined : `ran for ${duration(runTimeMs)}`,
    shortId(id),
  ]
    .filter((text) => text !== undefined)
    .join(", ");

function memoryText({ oomKilled, oomKills, limitBytes, peakBytes, peakSampled }: PostMortem["memory"]) {
  const texts = [
    oomKilled ? "killed for lack of memory" : undefined,
    oomKills === undefined || oomKills === 0 ? undefined : `${oomKills} processes killed`,
    limitBytes === undefined ? undefined : `limit ${memorySize(limitBytes)}`,
    peakBytes === undefined
      ? undefined
      : `peak ${memorySize(peakBytes)}${peakSampled === true ? " (of samples)" : ""}`,
  ];
  return texts.filter((text) => text !== undefined).join(", ");
}
