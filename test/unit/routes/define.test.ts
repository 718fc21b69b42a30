/**
 * What the compiler refuses of the route table. Each declaration below is wrong in one way, and the build
 * fails when it is taken: the line above it expects an error.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { handlers } from "../../../src/api/handlers.ts";
import { custom, list, type Route, session, unary } from "../../../src/routes/define.ts";

const base = { id: "x", allow: "read:containers", summary: "x" } as const;
const stop = {
  ...base,
  rpc: "RuntimeService/StopContainer",
  http: "POST /v1/containers/{containerId}/stop",
  success: 204,
} as const;
const containerPath = { containerId: "containerId" } as const;
const containers = {
  ...base,
  rpc: "RuntimeService/ListContainers",
  http: "GET /v1/containers",
  items: "containers",
  order: ["-createdAt", "id"],
} as const;
const containerFilters = {
  id: "filter.id",
  state: "filter.state.state",
  pod: "filter.podSandboxId",
} as const;
const exec = {
  ...base,
  rpc: "RuntimeService/Exec",
  http: "GET /v1/containers/{containerId}/exec",
  subprotocols: ["v5.channel.k8s.io"],
} as const;
const execQuery = { command: "cmd", stdin: "stdin", stdout: "stdout", stderr: "stderr", tty: "tty" } as const;

/** Right declarations, of which each wrong one differs in one thing. */
const right: readonly (() => Route)[] = [
  () => unary({ ...stop, path: containerPath, query: { timeout: "timeout" } }),
  () => unary({ ...stop, path: containerPath, omit: { timeout: "a reason" } }),
  () =>
    list({ ...containers, filters: containerFilters, labels: "filter.labelSelector", labelsOf: "labels" }),
  () => session({ ...exec, path: containerPath, query: execQuery }),
  () =>
    unary({
      ...base,
      rpc: "RuntimeService/RunPodSandbox",
      http: "POST /v1/pods",
      body: { spread: "config" },
      success: 201,
    }),
  () => custom({ ...base, http: "GET /v1/x/{containerId}", uses: [], path: containerPath, success: 200 }),
];

// biome-ignore format: an expected error is one of the very next line
const wrong: readonly (() => unknown)[] = [
  // @ts-expect-error a path parameter is not bound
  () => unary({ ...stop, path: {}, query: { timeout: "timeout" } }),
  // @ts-expect-error no path parameter is bound
  () => unary({ ...stop, query: { timeout: "timeout" }, omit: { containerId: "a reason" } }),
  // @ts-expect-error a bound parameter is not in the path
  () => unary({ ...stop, path: { ...containerPath, x: "timeout" } }),
  // @ts-expect-error a parameter is bound and the path has none
  () => unary({ ...base, rpc: "RuntimeService/Version", http: "GET /v1/version", path: { x: "version" }, success: 200 }),
  // @ts-expect-error a field that the request does not have
  () => unary({ ...stop, path: { containerId: "id" }, query: { timeout: "timeout" } }),
  // @ts-expect-error a query parameter for a field that the request does not have
  () => unary({ ...stop, path: containerPath, query: { timeout: "timeout", force: "force" } }),
  // @ts-expect-error a message is no place for a parameter
  () => unary({ ...base, rpc: "ImageService/ImageStatus", http: "GET /v1/images/{image}", path: { image: "image" }, query: { verbose: "verbose" }, success: 200 }),
  // @ts-expect-error nobody can set timeout, and no reason is given
  () => unary({ ...stop, path: containerPath }),
  // @ts-expect-error the omission has no reason
  () => unary({ ...stop, path: containerPath, omit: { timeout: undefined } }),
  // @ts-expect-error an omission of a field that is bound
  () => unary({ ...stop, path: containerPath, query: { timeout: "timeout" }, omit: { timeout: "a reason" } }),
  // @ts-expect-error an omission where the body takes all
  () => unary({ ...stop, path: containerPath, body: "*", omit: { timeout: "a reason" } }),
  // @ts-expect-error a default for a parameter that is not there
  () => unary({ ...stop, path: containerPath, query: { timeout: "timeout" }, defaults: { seconds: "10" } }),
  // @ts-expect-error a streaming RPC
  () => unary({ ...base, rpc: "RuntimeService/StreamContainers", http: "GET /v1/x", body: "*", success: 200 }),
  // @ts-expect-error an RPC that is not there
  () => unary({ ...base, rpc: "RuntimeService/Restart", http: "GET /v1/x", body: "*", success: 200 }),
  // @ts-expect-error no grant
  () => unary({ id: "x", summary: "x", rpc: "RuntimeService/Status", http: "GET /v1/x", query: { verbose: "verbose" }, success: 200 }),
  // @ts-expect-error a grant that is not there
  () => unary({ ...stop, allow: "start", path: containerPath, query: { timeout: "timeout" } }),
  // @ts-expect-error a word of kinds without its kind
  () => unary({ ...stop, allow: "read", path: containerPath, query: { timeout: "timeout" } }),
  // @ts-expect-error a field needs a grant that is not there
  () => unary({ ...stop, path: containerPath, query: { timeout: "timeout" }, fieldGrants: { timeout: "patience" } }),
  // @ts-expect-error a method that is not there
  () => unary({ ...stop, http: "STOP /v1/containers/{containerId}", path: containerPath, query: { timeout: "timeout" } }),
  // @ts-expect-error a success that is none
  () => unary({ ...stop, success: 404, path: containerPath, query: { timeout: "timeout" } }),
  // @ts-expect-error no summary
  () => unary({ id: "x", allow: "stop", rpc: "RuntimeService/Status", http: "GET /v1/x", query: { verbose: "verbose" }, success: 200 }),
  // @ts-expect-error an answer that the response does not have
  () => unary({ ...base, rpc: "RuntimeService/Status", http: "GET /v1/x", query: { verbose: "verbose" }, success: 200, answer: "state" }),
  // @ts-expect-error a location by a field that the response does not have
  () => unary({ ...base, rpc: "RuntimeService/RunPodSandbox", http: "POST /v1/pods", body: "*", success: 201, location: "/v1/pods/{id}" }),
  // @ts-expect-error a way of writing that is not there
  () => unary({ ...base, rpc: "RuntimeService/Status", http: "GET /v1/x", query: { verbose: "verbose" }, success: 200, renderer: "xml" }),
  // @ts-expect-error a scalar cannot be spread
  () => unary({ ...base, rpc: "RuntimeService/RunPodSandbox", http: "POST /v1/pods", body: { spread: "runtimeHandler" }, success: 201 }),
  // @ts-expect-error a map cannot be spread
  () => unary({ ...base, rpc: "RuntimeService/RestorePod", http: "POST /v1/x", body: { spread: "options" }, success: 201 }),
  // @ts-expect-error a message inside one of several fields cannot be spread
  () => unary({ ...base, rpc: "RuntimeService/RunPodSandbox", http: "POST /v1/pods", body: { spread: "config.metadata" }, success: 201 }),
  // @ts-expect-error a parameter of the gateway's own without a description
  () => unary({ ...stop, path: containerPath, query: { timeout: "timeout" }, gatewayParams: { raw: { type: "boolean" } } }),
  // @ts-expect-error items that the answer does not have
  () => list({ ...containers, items: "container", filters: containerFilters, labels: "filter.labelSelector" }),
  // @ts-expect-error items that are no list
  () => list({ ...base, rpc: "RuntimeService/ContainerStatus", http: "GET /v1/x", items: "status", order: ["id"], filters: { id: "containerId", verbose: "verbose" } }),
  // @ts-expect-error the stream of another list
  () => list({ ...containers, stream: "ImageService/StreamImages", filters: containerFilters, labels: "filter.labelSelector" }),
  // @ts-expect-error a stream that is none
  () => list({ ...containers, stream: "RuntimeService/ListContainers", filters: containerFilters, labels: "filter.labelSelector" }),
  // @ts-expect-error a list that is not read
  () => list({ ...containers, http: "POST /v1/containers", filters: containerFilters, labels: "filter.labelSelector" }),
  // @ts-expect-error labels that are no map
  () => list({ ...containers, filters: { state: "filter.state.state", pod: "filter.podSandboxId" }, labels: "filter.id" }),
  // @ts-expect-error labels of an item that are no map
  () => list({ ...containers, filters: containerFilters, labels: "filter.labelSelector", labelsOf: "imageRef" }),
  // @ts-expect-error nobody can set the labels, and no reason is given
  () => list({ ...containers, filters: containerFilters }),
  // @ts-expect-error order by a field that an item does not have
  () => list({ ...containers, order: ["-startedAt", "id"], filters: containerFilters, labels: "filter.labelSelector" }),
  // @ts-expect-error no order
  () => list({ ...containers, order: [], filters: containerFilters, labels: "filter.labelSelector" }),
  // @ts-expect-error a filter by a field that the request does not have
  () => list({ ...containers, filters: { ...containerFilters, name: "filter.name" }, labels: "filter.labelSelector" }),
  // @ts-expect-error a refinement that is not there
  () => list({ ...containers, filters: containerFilters, labels: "filter.labelSelector", postFilter: "byName" }),
  // @ts-expect-error a session on a plain RPC
  () => session({ ...base, rpc: "RuntimeService/Status", http: "GET /v1/x", query: { verbose: "verbose" }, subprotocols: ["a"] }),
  // @ts-expect-error a session without a subprotocol
  () => session({ ...exec, path: containerPath, query: execQuery, subprotocols: [] }),
  // @ts-expect-error a session that is no GET
  () => session({ ...exec, http: "POST /v1/containers/{containerId}/exec", path: containerPath, query: execQuery }),
  // @ts-expect-error nobody can set the command of a session
  () => session({ ...exec, path: containerPath, query: { stdin: "stdin", stdout: "stdout", stderr: "stderr", tty: "tty" } }),
  // @ts-expect-error a custom route whose path parameter names nothing known
  () => custom({ ...base, http: "GET /v1/x/{name}", uses: [], path: { name: "name" }, success: 200 }),
  // @ts-expect-error a custom route that uses an RPC that is not there
  () => custom({ ...base, http: "GET /v1/x", uses: ["RuntimeService/Restart"], success: 200 }),
  // @ts-expect-error a custom route without a handler
  () => handlers.noSuchRoute,
];

test("the compiler takes right declarations and refuses each of the wrong ones", () => {
  assert.deepEqual(
    right.map((declare) => declare().kind),
    ["unary", "unary", "list", "session", "unary", "custom"],
  );
  assert.equal(wrong.length, 47);
});
