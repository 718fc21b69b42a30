/** Durations are written the same way in every parameter. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { liveGateway } from "./live-gateway.ts";

const forms = ["0", "2s", "2500ms", "1.5s", "1s500ms", "0.0005h", "1d2h"];
/** Every parameter that takes a duration, with some that it accepts. A watch takes as long as its interval. */
const parameters: readonly (readonly [path: string, parameter: string, accepted: readonly string[]])[] = [
  ["GET /v1/events?", "since", forms],
  ["GET /v1/logs?", "since", forms],
  ["GET /v1/logs?", "until", forms],
  ["POST /v1/pods/prune?", "olderThan", forms],
  ["GET /v1/stats/containers/watch?", "interval", ["1s", "0.5s500ms"]],
  ["GET /v1/stats/pods/watch?interval=1s&", "history", ["1.5m", "1m30s"]],
];

test("every parameter that takes a duration takes the same forms, and refuses others in the same words", async (t) => {
  const { ask } = await liveGateway(t);
  const json = { accept: "application/json" };
  for (const [path, parameter, accepted] of parameters) {
    for (const text of accepted) {
      const answer = await ask(`${path}${parameter}=${text}`, undefined, json);
      assert.equal(answer.status, 200, `${path}${parameter}=${text}: ${answer.text}`);
    }
    for (const text of ["soon", "2", "2w", "-2s", "2s 3ms"]) {
      const answer = await ask(`${path}${parameter}=${encodeURIComponent(text)}`, undefined, json);
      assert.equal(answer.status, 400, answer.text);
      assert.equal(answer.at("errors.0.parameter"), parameter);
      assert.match(
        String(answer.at("errors.0.detail")),
        new RegExp(`a duration in the units ms, s, m, h or d, such as 30s, 1\\.5h or 1h30m, got "${text}"$`),
      );
    }
  }
});
