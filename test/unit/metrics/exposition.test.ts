/** Prometheus' text format: what is written for each value. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { header, labelText, sample } from "../../../src/metrics/exposition.ts";
import { createRecent } from "../../../src/metrics/recent.ts";
import { createCounter, createHistogram } from "../../../src/metrics/recorder.ts";

test("labels and help are escaped, so that a name cannot begin another line", () => {
  const labels = labelText({ pod: 'a"b\\c\nd', namespace: "" });
  assert.equal(sample("up", labels, 1), 'up{pod="a\\"b\\\\c\\nd",namespace=""} 1\n');
  assert.equal(
    header({ name: "up", help: "a\\b\nc", type: "gauge" }),
    "# HELP up a\\\\b\\nc\n# TYPE up gauge\n",
  );
  assert.deepEqual(
    [1e21, 0.1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) =>
      sample("a", "", value),
    ),
    ["a 1e+21\n", "a 0.1\n", "a NaN\n", "a +Inf\n", "a -Inf\n"],
  );
});

test("a counter counts by its labels, a histogram is cumulative", () => {
  const counter = createCounter({ name: "c_total", help: "C." }, ["a", "b"]);
  counter.add("x", "1");
  counter.add("x", "1");
  counter.add("y", "1");
  assert.match(counter.text(), /^c_total\{a="x",b="1"\} 2\nc_total\{a="y",b="1"\} 1\n$/m);
  const histogram = createHistogram({ name: "h", help: "H." }, ["a"]);
  for (const seconds of [0.0005, 0.003, 0.003, 100]) histogram.observe(seconds, "x");
  const text = histogram.text();
  const bucket = (le: string) =>
    new RegExp(`h_bucket\\{a="x",le="${le.replace("+", "\\+")}"\\} (\\d+)`).exec(text)?.[1];
  assert.deepEqual([bucket("0.001"), bucket("0.005"), bucket("30"), bucket("+Inf")], ["1", "3", "3", "4"]);
  assert.match(text, /^h_count\{a="x"\} 4$/m);
});

test("what has ended stays for five minutes, the last 500 at most", () => {
  const recent = createRecent<{ readonly id: string }>();
  const one = { id: "a" };
  assert.deepEqual(recent.update([one], 0), [{ reading: one, lastSeen: 0, ended: false }]);
  assert.deepEqual(recent.update([], 299), [{ reading: one, lastSeen: 0, ended: true }]);
  assert.deepEqual(recent.update([], 301), []);
  const many = Array.from({ length: 5000 }, (_, n) => ({ id: String(n) }));
  assert.equal(recent.update(many, 400).length, 5000);
  assert.equal(recent.update([], 410).length, 500);
});
