/** The last lines of the log of a container that runs, has ended, or was removed. */
import { lstat } from "node:fs/promises";
import { compileQuery } from "../logs/line-filter.ts";
import { absent } from "../logs/log-place.ts";
import { fromMs } from "../logs/log-time.ts";
import { oneContainer } from "../logs/logged-containers.ts";
import { openLogs } from "../logs/read-logs.ts";
import type { LogItem } from "../routes/answers.ts";
import { defaultLogsOf } from "../runtimes/log-folders.ts";
import type { Gateway } from "./gateway.ts";
import { itemOf } from "./log-item.ts";
import { MissingPart } from "./missing-part.ts";
import type { Subject } from "./post-mortem-subject.ts";

/** Text of a log in an answer. The last line comes whatever its size, which is at most this. */
const maxLogBytes = 1024 * 1024;
/** How far the times of a log and of events are apart at most, in milliseconds. */
const clockSlackMs = 1000;

/**
 * The log of a container that was removed, at the place where logs are by default.
 *
 * @throws {MissingPart} if there is none, or several containers may have written it.
 */
export async function keptLog(
  { inventory, logRoots }: Gateway,
  { podSandboxId, name, attempt }: Subject,
  isTaken: boolean,
): Promise<string> {
  const pod = await inventory.podOf("pod", podSandboxId);
  const found = await Promise.all(logRoots.map((root) => defaultLogsOf(root, pod, { name, attempt })));
  const [path, ...others] = found.flat();
  if (path === undefined)
    throw new MissingPart("the container has been removed, and its log is not at its usual place");
  if (isTaken || others.length > 0)
    throw new MissingPart(
      "the container has been removed, and another one with its name and attempt has a log there too",
    );
  return path;
}

interface LastLinesOptions {
  /** Of the container. */
  readonly id: string;
  readonly subject: Subject;
  readonly logPath: string;
  readonly tailLines: number;
  /** Whether the runtime has the container no more, so that the log is found only by its place. */
  readonly isRemoved: boolean;
  readonly signal: AbortSignal;
}

/**
 * The last lines of a log, the oldest first.
 *
 * @throws {MissingPart} if there is no such file.
 * @throws {GatewayError} `log_not_readable`
 */
export async function lastLines(
  { logRoots }: Gateway,
  { id, subject, logPath, tailLines, isRemoved, signal }: LastLinesOptions,
): Promise<readonly LogItem[]> {
  const { name, attempt, podSandboxId, state, life } = subject;
  const container = {
    id,
    name,
    attempt,
    podSandboxId,
    pod: "",
    namespace: "",
    isEnded: state !== "CONTAINER_RUNNING",
  };
  // A file of the same name may be that of another container, if this one's has expired.
  const near = (time: bigint, slackMs: number) =>
    isRemoved && time > 0n ? fromMs(Number(time / 1_000_000n) + slackMs) : undefined;
  const tests = await compileQuery({
    since: near(life.createdAt, -clockSlackMs),
    until: near(life.finishedAt, clockSlackMs),
    before: 0,
    after: 0,
  });
  const logs = await openLogs({
    containers: oneContainer(container, async () => logPath),
    roots: logRoots,
    query: { selection: {}, tests, follow: false, tailLines },
    signal,
  });
  let items: { readonly item: LogItem; readonly bytes: number }[] = [];
  let bytes = 0;
  for await (const batch of logs.lines) {
    for (const one of batch) {
      logs.passed(one);
      const { line } = one;
      const limited = { text: line.bytes.toString("utf8"), isTruncated: line.isTruncated };
      items.push({
        item: itemOf(one, { ...limited, origin: "none", cursor: logs.cursor() ?? "" }),
        bytes: line.bytes.length,
      });
      bytes += line.bytes.length;
    }
    let first = 0;
    for (; bytes > maxLogBytes && first < items.length - 1; first++) bytes -= items[first]?.bytes ?? 0;
    items = items.slice(first);
  }
  if (items.length === 0 && (await lstat(logPath).catch(absent)) === undefined)
    throw new MissingPart(`there is no file ${logPath}`);
  return items.map(({ item }) => item);
}
