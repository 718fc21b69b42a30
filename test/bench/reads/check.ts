import assert from "node:assert/strict";
import { type Gateway, type Processes, type Scenario, targetsOf } from "./sides.ts";

/**
 * Asks each gateway once and compares what comes: a bench of different answers would compare nothing.
 *
 * @returns The validator of Crest's answer, when it has one.
 * @throws {AssertionError} when the answers differ in more than the order of the items.
 */
export async function checkAnswers(
  scenario: Scenario,
  { crest, naive, floor }: Processes,
): Promise<string | undefined> {
  const [target = ""] = targetsOf(scenario, true);
  const answer = await ask(crest, target);
  assert.equal(itemsOf(answer.json).length, scenario.read === "list" ? scenario.containers : 1);
  for (const other of [naive, floor]) {
    assert.deepEqual(itemsOf((await ask(other, target)).json), itemsOf(answer.json), other.name);
  }
  return answer.etag;
}

async function ask(
  { name, port, headers }: Gateway,
  target: string,
): Promise<{ readonly json: unknown; readonly etag: string | undefined }> {
  const response = await fetch(`http://127.0.0.1:${port}${target}`, { headers });
  const text = await response.text();
  assert.equal(response.status, 200, `${name}: ${text.slice(0, 500)}`);
  // An absent message is null to one side and left out by the other.
  const json: unknown = JSON.parse(text, (_, value: unknown) => value ?? undefined);
  return { json, etag: response.headers.get("etag") ?? undefined };
}

type Item = { readonly id?: string };

function itemsOf(json: unknown): readonly Item[] {
  const { containers, status } = json as { readonly containers?: Item[]; readonly status?: Item };
  const items = containers ?? (status === undefined ? [] : [status]);
  return items.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
}
