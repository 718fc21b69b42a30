/** The headers of W3C Trace Context. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceParent, writeTraceParent } from "../../../src/tracing/trace-parent.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

test("readTraceParent() and writeTraceParent() agree, with the state of other vendors", () => {
  for (const [flags, kept] of [
    ["00", "00"],
    ["01", "01"],
    ["03", "01"],
  ] as const) {
    const span = readTraceParent({
      traceparent: `00-${traceId}-${spanId}-${flags}`,
      tracestate: "rojo=00f067,congo=t61",
    });
    assert.ok(span);
    assert.deepEqual([span.traceId, span.spanId, span.isRemote], [traceId, spanId, true]);
    assert.deepEqual(writeTraceParent(span), {
      traceparent: `00-${traceId}-${spanId}-${kept}`,
      tracestate: "rojo=00f067,congo=t61",
    });
  }
});

test("readTraceParent() reads later versions, as far as they are the same", () => {
  for (const more of ["", "-what-comes-later"]) {
    const span = readTraceParent({ traceparent: `cc-${traceId}-${spanId}-01${more}` });
    assert.equal(span?.traceId, traceId);
  }
});

test("readTraceParent() ignores what is malformed, and a state that is too long", () => {
  for (const traceparent of [
    undefined,
    "",
    "00",
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-more`,
    `ff-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-0g`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    [`00-${traceId}-${spanId}-01`],
  ]) {
    assert.equal(readTraceParent({ traceparent, tracestate: "a=b" }), undefined, String(traceparent));
  }
  const traceparent = `00-${traceId}-${spanId}-01`;
  assert.equal(readTraceParent({ traceparent, tracestate: `a=${"b".repeat(600)}` })?.traceState, undefined);
  assert.equal(readTraceParent({ traceparent, tracestate: ["a=1", "b=2"] })?.traceState?.get("b"), "2");
});
