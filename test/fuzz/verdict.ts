/** What the answers of a run say beside what the fuzzer checks. */
import type { Seen } from "./guard.ts";

/** Failures of a runtime that are known. */
const explained: readonly RegExp[] = [/127\.0\.0\.1:1: connect: connection refused/];

/** A line for each kind of 502 that nothing explains: it may be a caller's mistake, which is 400. */
export function unexplained(seen: readonly Seen[]): readonly string[] {
  const failures = new Map<string, { count: number; first: Seen }>();
  for (const one of seen) {
    if (one.status !== 502 || explained.some((pattern) => pattern.test(one.answer))) continue;
    const kind = `${operationOf(one)}: ${kindOf(one.answer)}`;
    const known = failures.get(kind);
    if (known) known.count++;
    else failures.set(kind, { count: 1, first: one });
  }
  return [...failures].map(
    ([kind, { count, first }]) =>
      `502 (${count} times) ${kind}\n    first of ${JSON.stringify(first.body.slice(0, 1500))}`,
  );
}

/** How often each operation gave each answer. */
export function tallyOf(seen: readonly Seen[]): string {
  const counts = new Map<string, Map<string, number>>();
  for (const one of seen) {
    const operation = operationOf(one);
    const row = counts.get(operation) ?? new Map<string, number>();
    const answer = `${one.status}${one.code === undefined ? "" : ` ${one.code}`}`;
    counts.set(operation, row.set(answer, (row.get(answer) ?? 0) + 1));
  }
  const lines = [...counts].sort().map(([operation, row]) => {
    const answers = [...row].sort().map(([answer, count]) => `${count} x ${answer}`);
    return `${operation}\n    ${answers.join(", ")}`;
  });
  return [`${seen.length} requests`, ...lines].join("\n");
}

/** The target with ids and names left out. */
const operationOf = ({ target }: Seen): string =>
  target
    .replace(/(?<=\/v1\/(?:pods|containers)\/)(?!restore$)[^/]+/, "*")
    .replace(/(?<=\/v1\/images\/)(?!pull$).+/, "*");

/** What the runtime said, without ids and what the caller wrote. */
function kindOf(answer: string): string {
  const { detail = "" } = JSON.parse(answer) as { readonly detail?: string };
  return detail
    .replace(/[0-9a-f]{12,}/g, "ID")
    .replace(/"[^"]*"/g, '"..."')
    .slice(0, 300);
}
