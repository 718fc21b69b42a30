/**
 * The examples of the published document, run against a gateway: each request is sent as it stands there, and
 * the answer must be the one that stands there. What cannot be the same on two machines is compared like this:
 *
 * - `places`, texts that the test knows (a data folder, a registry), are put in the stead of the example's.
 * - Ids, digests, UUIDs and addresses are of the same kind, and where the example has one twice the answers do.
 * - Times and measured numbers are decimal strings; the version of the runtime is some version.
 * - Lists that the example shortens hold each of its items.
 *
 * All else is equal, and no key is missing or more.
 */
import assert from "node:assert/strict";
import { type Operation, operationsOf, type PlacedOperation, publishedDocument } from "./openapi-document.ts";

/**
 * Operations whose example runs on the fake runtime: Debian's containerd does not have their RPC, and no
 * containerd can checkpoint without CRIU.
 */
export const onFake: ReadonlySet<string> = new Set([
  "getRuntimeConfig",
  "updatePodResources",
  "checkpointPod",
  "restorePod",
  "checkpointContainer",
  "listMetricDescriptors",
  "listPodMetrics",
]);

/** The example of an operation, as the document has it. */
export interface PublishedExample {
  readonly id: string;
  readonly method: string;
  /** The path's template. */
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly example: unknown }[];
  readonly body: unknown;
  /** Of the success. */
  readonly status: number;
  /** Undefined where the success has no body. */
  readonly answer: unknown;
  readonly location: string | undefined;
  readonly subprotocol: string | undefined;
}

/** The example of every operation, by operationId. */
export const examples: ReadonlyMap<string, PublishedExample> = new Map(
  operationsOf(publishedDocument()).map((operation) => [operation.operationId, exampleOf(operation)]),
);

function exampleOf(operation: PlacedOperation): PublishedExample {
  const [status = "", response] = successOf(operation);
  const headers = response?.headers ?? {};
  return {
    ...{ id: operation.operationId, status: Number(status) },
    ...{ method: operation.method, path: operation.path },
    parameters: (operation.parameters ?? []).flatMap(({ example, ...parameter }) =>
      example === undefined ? [] : [{ ...parameter, example }],
    ),
    body: operation.requestBody?.content["application/json"]?.example,
    answer: response?.content?.["application/json"]?.example,
    location: headers.Location?.example as string | undefined,
    subprotocol: headers["Sec-WebSocket-Protocol"]?.example as string | undefined,
  };
}

/** The response that an operation has when all is well. */
export function successOf({ responses }: Operation) {
  const found = Object.entries(responses).find(([status]) => Number(status) < 300);
  assert.ok(found);
  return found;
}

/** What an example's request is here. */
export interface Request {
  readonly method: string;
  /** With the query. */
  readonly target: string;
  readonly body: unknown;
}

export interface Story {
  /** @throws {Error} for an operation that has no example. */
  request(id: string): Request;
  /** Holds an answer to the example's, and remembers what stands for its ids. */
  hold(id: string, answer: StoryAnswer): void;
}

interface StoryAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: { readonly location?: string | undefined };
}

export interface StoryOptions {
  /** Text of the examples -> what stands for it here: `docker.io/library/nginx` -> `127.0.0.1:41234/library/nginx`. */
  readonly places: { readonly [text: string]: string };
  /**
   * Default: exact. By shape, what is there must be of the example's type, messages may be absent and other
   * members may be there: for runtimes that are newer than the one of the examples, and say other things.
   */
  readonly by?: "exact" | "shape";
}

/** What is made anew each time, within any text. */
const volatile =
  /[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d./])/g;

/** The fields that are measured, and what they are. */
const measured: { readonly [field: string]: RegExp } = {
  runtimeVersion: /^v?\d+\.\d+\.\d+/,
  createdAt: /^1\d{18}$/,
  startedAt: /^1\d{18}$/,
  finishedAt: /^(0|1\d{18})$/,
  timestamp: /^(0|1\d{18})$/,
  size: /^\d+$/,
  value: /^\d+$/,
};

/** Lists that an example shows a part of. */
const shortened: ReadonlySet<string> = new Set(["rpcs", "quirks", "grants"]);

export function createStory({ places, by = "exact" }: StoryOptions): Story {
  const here = new Map<string, string>();

  /** A text of an example as it is here, as far as that is known. */
  const localised = (text: string): string => {
    const known = text.replace(volatile, (token) => here.get(token) ?? token);
    return Object.entries(places).reduce((all, [from, to]) => all.replaceAll(from, to), known);
  };

  return {
    request(id) {
      const { method, path, parameters, body } = found(id);
      const text = (value: unknown): string => localised(String(value));
      const given = new Map(parameters.map(({ name, example }) => [name, example]));
      const query = parameters
        .filter((parameter) => parameter.in === "query")
        .flatMap(({ name, example }) =>
          [example].flat().map((value) => `${name}=${encodeURIComponent(text(value))}`),
        );
      return {
        method,
        target:
          path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(text(given.get(name)))) +
          (query.length > 0 ? `?${query.join("&")}` : ""),
        body: body === undefined ? undefined : JSON.parse(localised(JSON.stringify(body))),
      };
    },

    hold(id, { status, text, headers }) {
      const example = found(id);
      assert.equal(status, example.status, `${id}: ${text}`);
      if (example.answer === undefined) assert.equal(text, "", id);
      else compare(example.answer, JSON.parse(text), { at: id, field: "" });
      if (example.location !== undefined || headers.location !== undefined)
        compareText(example.location ?? "", headers.location ?? "", `${id}, Location`);
    },
  };

  function compare(example: unknown, real: unknown, { at, field }: { at: string; field: string }): void {
    if (Array.isArray(example)) {
      assert.ok(Array.isArray(real), `${at} is no list`);
      if (shortened.has(field)) {
        holdsEach(example, real, at);
        return;
      }
      if (by === "shape" && real.length === 0) return;
      if (by === "exact") assert.equal(real.length, example.length, `${at}: ${JSON.stringify(real)}`);
      example.forEach((item, index) => {
        compare(item, real[index], { at: `${at}/${index}`, field });
      });
      return;
    }
    if (typeof example === "object" && example !== null) {
      assert.ok(typeof real === "object" && real !== null, `${at} is no object: ${JSON.stringify(real)}`);
      const answer = real as { readonly [key: string]: unknown };
      // A message may be absent in any answer; what may not, the schemas hold.
      const members = Object.entries(example).filter(
        ([key, value]) => by === "exact" || key in answer || typeof value !== "object",
      );
      const got = Object.keys(answer).filter((key) => by === "exact" || key in example);
      assert.deepEqual(got.sort(), members.map(([key]) => key).sort(), `${at} has other members`);
      for (const [key, value] of members) compare(value, answer[key], { at: `${at}/${key}`, field: key });
      return;
    }
    assert.equal(typeof real, typeof example, `${at}: ${JSON.stringify(real)}`);
    const pattern = measured[field];
    if (pattern !== undefined) {
      for (const value of [example, real]) assert.match(String(value), pattern, at);
    } else if (typeof example === "string") compareText(example, String(real), at);
    else if (by === "exact") assert.equal(real, example, at);
  }

  function holdsEach(example: readonly unknown[], real: readonly unknown[], at: string): void {
    for (const item of example) {
      const isThere = real.some((one) => {
        try {
          compare(item, one, { at, field: "" });
          return true;
        } catch (error) {
          if (error instanceof assert.AssertionError) return false;
          throw error;
        }
      });
      assert.ok(isThere, `${at} lacks ${JSON.stringify(item)}: ${JSON.stringify(real)}`);
    }
  }

  function compareText(example: string, real: string, at: string): void {
    const wanted = example.match(volatile) ?? [];
    const put = Object.entries(places).reduce((all, [text, place]) => all.replaceAll(place, text), real);
    const got = put.match(volatile) ?? [];
    if (by === "exact") assert.equal(put.replace(volatile, "*"), example.replace(volatile, "*"), at);
    wanted.forEach((token, index) => {
      const other = got[index];
      if (other === undefined) return;
      assert.equal(other, here.get(token) ?? other, `${at}: the example has one that it had before`);
      here.set(token, other);
    });
  }
}

function found(id: string): PublishedExample {
  const example = examples.get(id);
  if (example === undefined) throw new Error(`Cannot find the example: the document has no operation ${id}`);
  return example;
}
