/** `crest info` */
import {
  CrestError,
  type GetCapabilitiesAnswer,
  type ImageFsInfoReply,
  type RuntimeConfigReply,
  type StatusReply,
} from "../../client/index.ts";
import { wrap } from "../../config/wrap.ts";
import type { Run } from "../context.ts";
import { type Fact, facts, section } from "../output/facts.ts";
import { jsonBody, printJsonBody } from "../output/json.ts";
import { printYaml } from "../output/listing.ts";
import { diskSize } from "../output/sizes.ts";
import { type Output, write } from "../terminal.ts";

export const run: Run<"info"> = async ({ flags, stdout, signal, connect }) => {
  const { crest, address } = await connect();
  const query = { verbose: flags.verbose || undefined };
  const response = await crest.request("GET", "/v1/runtime/status", { query, signal });
  if (flags.output === "json") {
    await printJsonBody(response, stdout);
    return 0;
  }
  const status = await jsonBody<StatusReply>(response);
  if (flags.output === "yaml") {
    await printYaml(status, stdout);
    return 0;
  }
  const [capabilities, config, disks] = await Promise.all([
    ifAvailable(crest.getCapabilities({}, { signal })),
    ifAvailable(crest.getRuntimeConfig({}, { signal })),
    ifAvailable(crest.getImageFilesystems({}, { signal })),
  ]);
  await write(stdout, infoText({ address, status, capabilities, config, disks }, widthOf(stdout)));
  if (flags.verbose) await write(stdout, section("Details of the runtime", detailLines(status)));
  return 0;
};

/** What this runtime does not have, or this caller may not see, is left out. */
async function ifAvailable<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CrestError && /^(not_capable|not_implemented)$/.test(error.code)) return undefined;
    throw error;
  }
}

interface Info {
  readonly address: string;
  readonly status: StatusReply;
  readonly capabilities: GetCapabilitiesAnswer | undefined;
  readonly config: RuntimeConfigReply | undefined;
  readonly disks: ImageFsInfoReply | undefined;
}

/** Sentences are read best in lines of 60 to 100 characters. */
const widthOf = ({ columns = 100 }: Output): number => Math.min(Math.max(columns, 60), 100);

const eventSources = {
  containerd: "containerd's own",
  cri: "CRI's GetContainerEvents",
  lists: "the difference of lists",
} as const;

export function infoText({ address, status, capabilities, config, disks }: Info, width: number): string {
  const { runtimeName, runtimeVersion, rpcs = [], quirks = [] } = capabilities ?? {};
  const missing = rpcs.filter(({ support }) => support === "unimplemented");
  const used = (disks?.imageFilesystems ?? []).map(
    ({ usedBytes, fsId }): Fact => [
      "Images use",
      `${diskSize(Number(usedBytes?.value ?? 0))} in ${fsId?.mountpoint ?? "?"}`,
    ],
  );
  return (
    facts([
      ["Gateway", address],
      ["Runtime", runtimeName === undefined ? undefined : `${runtimeName} ${runtimeVersion}`],
      ["Handlers", status.runtimeHandlers.map(({ name }) => name || "(default)").join(", ")],
      ["Features", namesOf(status.features).join(", ")],
      ["Cgroup driver", config?.linux?.cgroupDriver.toLowerCase()],
      ["Events from", capabilities === undefined ? undefined : eventSources[capabilities.events]],
      ...used,
    ]) +
    section(
      "Conditions",
      (status.status?.conditions ?? []).map(({ type, status: isMet, reason, message }) =>
        [`${type}: ${isMet ? "yes" : "no"}`, reason, message].filter((text) => text !== "").join(", "),
      ),
    ) +
    section(
      "Not in this runtime",
      wrap(missing.map(({ rpc }) => rpc.replace(/^.*\//, "")).join(", "), width - 2),
    ) +
    section(
      "What differs in this runtime",
      quirks.flatMap(({ code, description }) => hanging(`${code}: ${description}`, width - 2)),
    )
  );
}

function hanging(text: string, width: number): readonly string[] {
  const [first = "", ...more] = wrap(text, width - 2);
  return [first, ...more.map((line) => `  ${line}`)];
}

const namesOf = (features: StatusReply["features"]): readonly string[] =>
  Object.entries(features ?? {}).flatMap(([name, isThere]) => (isThere ? [name] : []));

function detailLines({ info }: StatusReply): readonly string[] {
  return Object.entries(info).flatMap(([name, text]) => [
    `${name}:`,
    ...pretty(text).map((line) => `  ${line}`),
  ]);
}

/** Texts that are JSON are indented. */
function pretty(text: string): readonly string[] {
  try {
    return JSON.stringify(JSON.parse(text), null, 2).split("\n");
  } catch {
    return text.split("\n");
  }
}
