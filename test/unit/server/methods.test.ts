import assert from "node:assert/strict";
import { test } from "node:test";
import { routerPath } from "../../../src/api/router-path.ts";
import { custom } from "../../../src/routes/define.ts";
import { allowedMethods } from "../../../src/server/methods.ts";

const base = { id: "x", allow: "authenticated", summary: "x", uses: [], success: 200 } as const;
const path = { containerId: "containerId" } as const;
const routes = [
  custom({ ...base, http: "GET /v1/containers" }),
  custom({ ...base, http: "GET /v1/containers/{containerId}", path }),
  custom({ ...base, http: "DELETE /v1/containers/{containerId}", path }),
  custom({ ...base, http: "POST /v1/containers/{containerId}/stop", path }),
  custom({ ...base, http: "GET /v1/images/{image}", path: { image: "image.image" } }),
  custom({ ...base, http: "POST /v1/images/pull" }),
];

test("a path has the methods of its routes, HEAD with GET, in one order", () => {
  assert.deepEqual(allowedMethods(routes, "/v1/containers"), ["GET", "HEAD"]);
  assert.deepEqual(allowedMethods(routes, "/v1/containers/a"), ["DELETE", "GET", "HEAD"]);
  assert.deepEqual(allowedMethods(routes, "/v1/containers/a%2Fb"), ["DELETE", "GET", "HEAD"]);
  assert.deepEqual(allowedMethods(routes, "/v1/containers/a/stop"), ["POST"]);
  assert.deepEqual(allowedMethods(routes, "/v1/images/quay.io/team/app:1"), ["GET", "HEAD"]);
  assert.deepEqual(allowedMethods(routes, "/v1/images/pull"), ["GET", "HEAD", "POST"]);
});

test("a path that no route has, has none", () => {
  const paths = [
    "/",
    "",
    "/v1",
    "/v1/containers/",
    "/v1/containers/a/b",
    "/v1/containers/a/stop/",
    "/v2/containers",
  ];
  for (const path of [...paths, "/v1/containersx", "x/v1/containers", "/v1/images/", "/V1/containers"]) {
    assert.deepEqual(allowedMethods(routes, path), [], path);
  }
});

test("an image takes the rest of a path, an id one part of it", () => {
  assert.equal(routerPath("/v1/images/{image}"), "/v1/images/*");
  assert.equal(routerPath("/v1/containers/{containerId}/stop"), "/v1/containers/:containerId/stop");
  assert.equal(routerPath("/v1/version"), "/v1/version");
});
