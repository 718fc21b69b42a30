import assert from "node:assert/strict";
import { test } from "node:test";
import { spawnCrest } from "../support/spawn-crest.ts";

// Whatever the program does with it: an unknown flag ends it, and no line can match.
test("ready rejects with the output when the process ends first", async () => {
  const crest = spawnCrest(["--no-such-flag-at-all"], { ready: /never (.*)/ });
  await assert.rejects(crest.ready, /Cannot start crest: it ended with \w+/);
  const { code } = await crest.exit;
  assert.notEqual(code, 0);
  await crest.stop();
});
