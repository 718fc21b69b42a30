/** Signing in to the pages: what keys and the tokens of pages can do, over HTTP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGateway, token } from "./live-gateway.ts";

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

test("a key is traded once, and nothing else takes it", async (t) => {
  const { ask } = await liveGateway(t);
  const made = await ask("POST /v1/sign-in-keys", undefined, bearer(token));
  assert.equal(made.status, 201);
  const key = String(made.at("key"));
  for (const request of ["GET /v1/grants", "GET /v1/pods", "POST /v1/sign-in-keys", "POST /v1/tokens"])
    assert.equal((await ask(request, undefined, bearer(key))).status, 401, request);

  const both = await Promise.all([1, 2].map(() => ask("POST /v1/sign-in", undefined, bearer(key))));
  assert.deepEqual(both.map(({ status }) => status).sort(), [201, 401]);
  const signedIn = both.find(({ status }) => status === 201);
  const pods = await ask("GET /v1/pods", undefined, bearer(String(signedIn?.at("token"))));
  assert.equal(pods.status, 200);
  assert.equal((await ask("POST /v1/sign-in", undefined, bearer(key))).status, 401);
});

test("a page's token can do the same as the caller's own, and ends with it", async (t) => {
  const { ask } = await liveGateway(t);
  const grants = { allow: { read: ["pods"] } };
  const made = await ask("POST /v1/tokens", { name: "reader", grants }, bearer(token));
  const reader = String(made.at("token"));
  const signedIn = await ask("POST /v1/sign-in", undefined, bearer(reader));
  const page = bearer(String(signedIn.at("token")));
  assert.equal((await ask("GET /v1/pods", undefined, page)).status, 200);
  assert.equal((await ask("GET /v1/images", undefined, page)).status, 403);
  assert.equal((await ask("DELETE /v1/tokens/reader", undefined, bearer(token))).status, 200);
  const after = await ask("GET /v1/pods", undefined, page);
  assert.deepEqual([after.status, after.at("code")], [401, "unauthenticated"]);
});
