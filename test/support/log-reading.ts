/** Reads logs of containers that a test names, as the routes do. */
import { setTimeout as delay } from "node:timers/promises";
import { GatewayError } from "../../src/errors.ts";
import { type Cursor, parseCursor } from "../../src/logs/cursor.ts";
import { compileQuery, type LineQuery } from "../../src/logs/line-filter.ts";
import type { ContainerSource, LoggedContainer } from "../../src/logs/logged-containers.ts";
import { type OpenLogs, openLogs } from "../../src/logs/read-logs.ts";

export interface TestContainer {
  readonly path: string;
  /** 64 hexadecimal digits. Default: of one `a` each. */
  readonly id?: string;
  readonly name?: string;
  isEnded?: boolean;
}

/** A source of these containers, which a test may change. */
export function sourceOf(containers: readonly TestContainer[], isComplete = () => true): ContainerSource {
  const idOf = ({ id = "a".repeat(64) }: TestContainer): string => id;
  return {
    list: async () => ({
      isThere: true,
      isComplete: isComplete(),
      containers: containers.map(
        (container): LoggedContainer => ({
          ...{ id: idOf(container), name: container.name ?? "one", attempt: 0 },
          ...{ podSandboxId: "b".repeat(64), pod: "web", namespace: "demo", labels: {}, isRemoved: false },
          isEnded: container.isEnded ?? false,
        }),
      ),
    }),
    async logPathOf(id) {
      const path = containers.find((container) => idOf(container) === id)?.path;
      if (path === undefined) throw new Error(`no container ${id}`);
      return path;
    },
    watch: (_selection, signal) => ({
      async due() {
        await delay(20, undefined, { signal }).catch(() => undefined);
      },
    }),
  };
}

export interface Reading extends Partial<LineQuery> {
  readonly roots: readonly string[];
  readonly follow?: boolean;
  readonly tailLines?: number;
  /** As `ReadLine.cursor`. */
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal;
}

export interface ReadLine {
  readonly text: string;
  readonly bytes: Buffer;
  readonly stream: string | undefined;
  readonly container: string;
  readonly cursor: string;
  readonly isTruncated: boolean;
}

export async function openReading(
  source: ContainerSource,
  { roots, follow = false, tailLines, cursor, signal, ...query }: Reading,
): Promise<OpenLogs> {
  const tests = await compileQuery({ before: 0, after: 0, ...query });
  const parsed: Cursor | undefined = cursor === undefined ? undefined : parseCursor(cursor);
  if (cursor !== undefined && parsed === undefined) throw new Error(`no cursor: ${cursor}`);
  return await openLogs({
    ...{ containers: source, roots, signal: signal ?? new AbortController().signal },
    query: { selection: {}, tests, follow, tailLines, cursor: parsed },
  });
}

/** The lines one after the other. */
export async function* readLinesOf(source: ContainerSource, reading: Reading): AsyncGenerator<ReadLine> {
  const logs = await openReading(source, reading);
  for await (const batch of logs.lines) {
    for (const one of batch) {
      logs.passed(one);
      yield {
        text: one.line.bytes.toString("utf8"),
        bytes: one.line.bytes,
        stream: one.line.stream,
        container: one.container.name,
        cursor: logs.cursor() ?? "",
        isTruncated: one.line.isTruncated,
      };
    }
  }
}

export async function readAll(source: ContainerSource, reading: Reading): Promise<readonly ReadLine[]> {
  const lines: ReadLine[] = [];
  for await (const line of readLinesOf(source, reading)) lines.push(line);
  return lines;
}

export const textsOf = (lines: readonly { readonly text: string }[]): readonly string[] =>
  lines.map(({ text }) => text);

/** The problem with which reading fails. */
export async function refusalOf(reading: Promise<unknown>): Promise<GatewayError> {
  const error = await reading.then(
    () => new Error("it was read"),
    (error: unknown) => error,
  );
  if (error instanceof GatewayError) return error;
  throw error;
}
