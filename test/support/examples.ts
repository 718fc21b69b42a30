/**
 * Runs the examples of the published document against a gateway. Each request is sent as published, and the response
 * must match the published one. Values that differ between machines are compared like this:
 *
 * - `places`, texts that the test knows (a data folder, a registry), replace those of the example.
 * - Ids, digests, UUIDs and addresses have the same format, and repeat where those of the example do.
 * - Times and measured numbers are decimal strings; the version of the runtime is any version.
 * - Lists that the example shortens contain each of its items.
 *
 * Everything else is equal, with no key missing or added.
 */
import assert from "node:assert/strict";
import { type Operation, operationsOf, type PlacedOperation, publishedDocument } from "./openapi-document.ts";

/** Operations whose example runs on the real containerd, as one story in this order. */
export const onContainerd = [
  ...["getVersion", "getRuntimeStatus", "getCapabilities", "getGrants", "createToken", "listTokens"],
  ...["revokeToken", "createSignInKey", "signIn", "setNetworkConfig"],
  ...["pullImage", "listPulls", "getPull", "cancelPull", "listImages", "getImage"],
  "run",
  ...["runPod", "listPods", "getPod"],
  ...["createContainer", "pruneImages", "startContainer", "listContainers", "getContainer", "listEvents"],
  ...["execSync", "execContainer", "attachContainer"],
  ...["listSessions", "resumeSession", "endSession", "forwardPorts"],
  ...["getContainerStats", "listContainerStats", "getPodStats", "listPodStats", "getImageFilesystems"],
  ...["watchContainerStats", "watchOneContainerStats", "watchPodStats", "watchOnePodStats"],
  ...["getContainerLogs", "getPodLogs", "listLogs"],
  ...["updateContainerResources", "reopenContainerLog"],
  ...[
    "stopContainer",
    "waitContainer",
    "getPostMortem",
    "removeContainer",
    "stopPod",
    "prunePods",
    "removePod",
    "removeImage",
  ],
] as const;

/**
 * Operations whose example runs on the fake runtime: Debian's containerd lacks their RPC, or, for checkpoints,
 * containerd needs CRIU.
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

/** The documented example of an operation. */
export interface PublishedExample {
  readonly id: string;
  readonly method: string;
  /** The path template. */
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly example: unknown }[];
  readonly body: unknown;
  /** The status of the success response. */
  readonly status: number;
  /** Undefined if the success response has no body. */
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

/** The success response of an operation. */
export function successOf({ responses }: Operation) {
  const found = Object.entries(responses).find(([status]) => Number(status) < 300);
  assert.ok(found);
  return found;
}

/** The request of an example, adapted to this machine. */
export interface Request {
  readonly method: string;
  /** Includes the query. */
  readonly target: string;
  readonly body: unknown;
}

export interface Story {
  /** @throws {Error} if the document has no such operation. */
  request(id: string): Request;
  /** Checks a response against the example, and remembers the real values of the example's ids. */
  hold(id: string, answer: StoryAnswer): void;
}

interface StoryAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: { readonly location?: string | undefined };
}

export interface StoryOptions {
  /** Maps texts of the examples to their values here: `docker.io/library/nginx` -> `127.0.0.1:41234/library/nginx`. */
  readonly places: { readonly [text: string]: string };
  /**
   * Default: exact. With "shape", values only need the type of the example, messages may be absent, and other members
   * may be present. For runtimes newer than the one in the examples, whose responses differ.
   */
  readonly by?: "exact" | "shape";
}

/** Values that differ in each run, within any text. */
const volatile =
  /[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d./])/g;

/** The id of an event. */
const eventId = /^[0-9a-f]{8}\.\d+$/;

/** Measured fields and their formats. */
const measured: { readonly [field: string]: RegExp } = {
  runtimeVersion: /^v?\d+\.\d+\.\d+/,
  createdAt: /^1\d{18}$/,
  startedAt: /^1\d{18}$/,
  finishedAt: /^(0|1\d{18})$/,
  timestamp: /^(0|1\d{18})$/,
  size: /^\d+$/,
  bytes: /^\d+$/,
  value: /^\d+$/,
  time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(\d{3}|\d{9})Z$/,
  token: /^crest_[\w-]{43}$/,
  key: /^crest_[\w-]{43}$/,
  created: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  begun: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  lost: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  ends: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  expires: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  cursor: /^1\.[0-9a-z.-]+$/,
  searchedBytes: /^\d+$/,
  lastEventId: eventId,
  eventsSince: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  runTimeMs: /^\d+$/,
  ...Object.fromEntries(
    ["elapsedMs", "totalBytes", "downloadedBytes", "sizeBytes", "unpackedBytes"].map((field) => [
      field,
      /^\d+$/,
    ]),
  ),
};

/** What is computed of a machine that is more or less busy: numbers, or null for what is not known there. */
const figures: ReadonlySet<string> = new Set([
  ...["cores", "coresLimit", "cpuPercentOfLimit", "cpuPercentOfNode", "workingSetBytes", "memoryUsageBytes"],
  ...["memoryLimitBytes", "memoryPercentOfLimit", "memoryPercentOfNode", "receivedBytesPerSecond"],
  ...[
    "sentBytesPerSecond",
    "readBytesPerSecond",
    "writtenBytesPerSecond",
    "filesystemUsedBytes",
    "peakBytes",
  ],
]);

const isFigure = (value: unknown): boolean => value === null || typeof value === "number";

/** Lists that an example shows only in part. */
const shortened: ReadonlySet<string> = new Set(["rpcs", "quirks", "grants", "events"]);

export function createStory({ places, by = "exact" }: StoryOptions): Story {
  const here = new Map<string, string>();

  /** Converts a text of an example to this machine, with the values known so far. */
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
      // Any message may be absent from a response. The schemas check the required ones.
      const members = Object.entries(example).filter(
        ([key, value]) => by === "exact" || key in answer || typeof value !== "object",
      );
      const got = Object.keys(answer).filter((key) => by === "exact" || key in example);
      assert.deepEqual(got.sort(), members.map(([key]) => key).sort(), `${at} has other members`);
      for (const [key, value] of members) compare(value, answer[key], { at: `${at}/${key}`, field: key });
      return;
    }
    if (figures.has(field) && isFigure(example)) {
      assert.ok(isFigure(real), `${at}: ${JSON.stringify(real)}`);
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
    if (eventId.test(example) && eventId.test(real)) return;
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
