import assert from "node:assert/strict";
import { test } from "node:test";
import { routesFor, suggestRoute } from "../../../src/http/suggest-route.ts";
import { routes } from "../../../src/routes/index.ts";

test("suggestRoute() finds the route behind a misspelt path, with the caller's own ids", () => {
  for (const [method, path, meant] of [
    ["GET", "/v1/pod", "GET /v1/pods"],
    ["GET", "/v1/container", "GET /v1/containers"],
    ["GET", "/v1/container/3f2a", "GET /v1/containers/3f2a"],
    ["HEAD", "/v1/container/3f2a", "GET /v1/containers/3f2a"],
    ["POST", "/v1/container/3f2a/startt", "POST /v1/containers/3f2a/start"],
    ["GET", "/v1/image", "GET /v1/images"],
    ["GET", "/v1/image/quay.io/team/app:1", "GET /v1/images/quay.io/team/app:1"],
    ["POST", "/v1/image/pull", "POST /v1/images/pull"],
    ["GET", "/v1/stats/pod", "GET /v1/stats/pods"],
    ["GET", "/v1/grant", "GET /v1/grants"],
    ["GET", "/V1/Pods", "GET /v1/pods"],
    ["GET", "/v2/pods", "GET /v1/pods"],
    ["GET", "/docs/problem", "GET /docs/problems"],
    ["GET", "/doc", "GET /docs"],
    ["GET", "/v1/containers/3f2a/log", "GET /v1/containers/3f2a/logs"],
    ["GET", "/openapi.jsn", "GET /openapi.json"],
  ] as const) {
    assert.equal(suggestRoute(routes, method, path), meant, `${method} ${path}`);
  }
});

test("suggestRoute() finds the route without its version, and behind somebody else's prefix", () => {
  for (const [method, path, meant] of [
    ["GET", "/pods", "GET /v1/pods"],
    ["GET", "/images", "GET /v1/images"],
    ["GET", "/api/v1/pods", "GET /v1/pods"],
    ["GET", "/api/pods", "GET /v1/pods"],
    ["GET", "/", "GET /docs"],
  ] as const) {
    assert.equal(suggestRoute(routes, method, path), meant, `${method} ${path}`);
  }
});

test("suggestRoute() names another method where the path has only that", () => {
  assert.equal(suggestRoute(routes, "GET", "/v1/pod/3f2a/stop"), "POST /v1/pods/3f2a/stop");
  assert.equal(suggestRoute(routes, "DELETE", "/v1/pod/3f2a"), "DELETE /v1/pods/3f2a");
});

test("suggestRoute() is silent where nothing is close", () => {
  for (const path of [
    "/v1/secrets",
    "/favicon.ico",
    "/robots.txt",
    "/v1",
    "//",
    `/v1/${"pods/".repeat(1000)}`,
    `/v1/${"p".repeat(10_000)}`,
  ]) {
    assert.equal(suggestRoute(routes, "GET", path), undefined, path.slice(0, 40));
  }
});

test("routesFor() finds where a method is taken that a path does not take", () => {
  for (const [method, path, found] of [
    ["POST", "/v1/containers", ["POST /v1/pods/{podSandboxId}/containers"]],
    ["GET", "/v1/pods/3f2a/containers", ["GET /v1/containers", "GET /v1/stats/containers"]],
    ["POST", "/v1/images", ["POST /v1/images/pull"]],
    ["DELETE", "/v1/pods", ["DELETE /v1/pods/{podSandboxId}"]],
    ["PUT", "/v1/pods", []],
    ["POST", "/v1/pods/3f2a", []],
  ] as const) {
    assert.deepEqual(routesFor(routes, method, path), found, `${method} ${path}`);
  }
});
