/** The last lines of the log of a container that runs, has ended, or was removed. */

import { lstat } from "node:fs/promises";
import { GatewayError } from "../errors.ts";
import { compileQuery } from "../logs/line-filter.ts";
import { absent } from "../logs/log-place.ts";
import { openLogs } from "../logs/read-logs.ts";
import type { LogItem } from "../routes/answers.ts";
import type { Gateway } from "./gateway.ts";
import { itemOf } from "./log-item.ts";
import { MissingPart } from "./missing-part.ts";

/** Maximum text of a log in an answer, in bytes. The last line, which is never longer, is always included. */
const maxLogBytes = 1024 * 1024;

/**
 * Reads the last lines of a container's log, the oldest first.
 *
 * @throws {MissingPart} If there is no log, or none is kept of a removed container.
 * @throws {GatewayError} `log_not_readable`, and those of the runtime.
 */
export async function lastLines(
  { containers, logRoots }: Gateway,
  {
    id,
    tailLines,
    signal,
  }: { readonly id: string; readonly tailLines: number; readonly signal: AbortSignal },
): Promise<readonly LogItem[]> {
  const logPath = await containers.logPathOf(id).catch((error: unknown) => {
    if (error instanceof GatewayError && error.code === "not_found")
      throw new MissingPart("the container has been removed, and its log is not kept");
    throw error;
  });
  const tests = await compileQuery({ before: 0, after: 0 });
  const query = { selection: { containerId: id }, tests, follow: false, tailLines };
  const logs = await openLogs({ containers, roots: logRoots, query, signal });
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
