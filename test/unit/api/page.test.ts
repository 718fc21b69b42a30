import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { continueToken, maxLimit, type Position, parsePage } from "../../../src/api/page.ts";
import { GatewayError } from "../../../src/errors.ts";

const filters = '["listContainers",{},null]';

function mistake(run: () => void): { readonly parameter?: string; readonly detail: string } {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof GatewayError, String(error));
    assert.equal(error.code, "invalid_request");
    assert.equal(error.errors.length, 1);
    return error.errors[0] ?? { detail: "" };
  }
  assert.fail("it was taken");
}

test("without parameters there is no limit, and the page begins at the start", () => {
  assert.deepEqual(parsePage({}, filters), { limit: undefined, after: undefined });
});

test("limit is an integer from 1 to the most", () => {
  for (const limit of [1, 2, 10, 999, maxLimit]) {
    assert.equal(parsePage({ limit: String(limit) }, filters).limit, limit);
  }
  const wrong = [
    "0",
    "-1",
    "01",
    "1.0",
    "1e3",
    " 1",
    "1 ",
    "",
    "ten",
    "0x1",
    "+1",
    String(maxLimit + 1),
    "1".repeat(99),
    "١",
  ];
  for (const limit of [...wrong, ["1", "2"], []]) {
    assert.equal(mistake(() => parsePage({ limit }, filters)).parameter, "limit", String(limit));
  }
});

const part = fc.oneof(fc.string({ unit: "binary" }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n }));
const position: fc.Arbitrary<Position> = fc.array(part, { minLength: 1, maxLength: 3 });

test("a position comes back from its token as it was: text as text, numbers as numbers", () => {
  fc.assert(
    fc.property(position, (last) => {
      const token = continueToken(last, filters);
      assert.match(token, /^[\w-]+$/);
      assert.deepEqual(parsePage({ continue: token, limit: "5" }, filters), { limit: 5, after: last });
    }),
  );
});

test("a token holds no filters in clear, and follows from position and filters alone", () => {
  const secret = '["listContainers",{"filter":{"labelSelector":{"owner":"somebody"}}},null]';
  const token = continueToken(["id"], secret);
  assert.ok(!Buffer.from(token, "base64url").toString().includes("somebody"));
  assert.equal(continueToken(["id"], secret), token);
  assert.notEqual(continueToken(["id"], filters), token);
});

test("a token of other filters is refused, and says that it is the filters", () => {
  fc.assert(
    fc.property(position, fc.string(), (last, others) => {
      fc.pre(others !== filters);
      const token = continueToken(last, others);
      const { parameter, detail } = mistake(() => parsePage({ continue: token }, filters));
      assert.equal(parameter, "continue");
      assert.match(detail, /different filters/);
    }),
  );
});

test("a changed token is refused, or a position all the same: never anything else", () => {
  const token = continueToken([1_700_000_000_000_000_000n, "f".repeat(64)], filters);
  let refused = 0;
  for (let index = 0; index < token.length; index++) {
    for (const changed of ["", "A", "_", "=", "é"]) {
      const other = token.slice(0, index) + changed + token.slice(index + 1);
      try {
        const { after } = parsePage({ continue: other }, filters);
        assert.ok(after?.every((value) => typeof value === "string" || typeof value === "bigint"));
      } catch (error) {
        assert.ok(error instanceof GatewayError, String(error));
        assert.equal(error.errors[0]?.parameter, "continue");
        refused++;
      }
    }
  }
  assert.ok(refused > 100, `${refused} were refused`);
});

test("what was never a token is refused", () => {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const [digest] = JSON.parse(Buffer.from(continueToken(["x"], filters), "base64url").toString()) as [string];
  const wrong = [
    "",
    "x",
    "null",
    "%%%",
    encode(null),
    encode({}),
    encode([]),
    encode("text"),
    encode([digest]),
  ];
  wrong.push(
    encode([digest, null]),
    encode([digest, {}]),
    encode([digest, { n: 1 }]),
    encode([digest, { n: "1.5" }]),
  );
  wrong.push(
    encode([digest, { n: "" }]),
    encode([digest, { n: "9".repeat(21) }]),
    encode([digest, [1]]),
    encode([digest, 1]),
  );
  wrong.push(
    encode([digest, true]),
    encode([digest, { n: "1n" }]),
    encode([digest, { n: " 1" }]),
    encode([[digest], "x"]),
  );
  for (const token of wrong) {
    assert.equal(mistake(() => parsePage({ continue: token }, filters)).parameter, "continue", token);
  }
});

test("a parameter that is given twice is refused, also when one of the two is empty", () => {
  const token = continueToken(["x"], filters);
  for (const twice of [[token, token], ["", token], [token, ""], [token]]) {
    assert.equal(mistake(() => parsePage({ continue: twice }, filters)).parameter, "continue");
  }
});

test("any parameters give a page, or what is wrong with them", () => {
  const value = fc.oneof(
    fc.string(),
    fc.array(fc.string()),
    fc.base64String(),
    fc.constant(undefined),
    fc.json(),
  );
  const encoded = fc.json().map((text) => Buffer.from(text).toString("base64url"));
  fc.assert(
    fc.property(value, fc.oneof(value, encoded), (limit, token) => {
      try {
        const page = parsePage({ limit, continue: token }, filters);
        assert.ok(page.limit === undefined || (page.limit >= 1 && page.limit <= maxLimit));
      } catch (error) {
        assert.ok(error instanceof GatewayError, String(error));
        assert.equal(error.status, 400);
      }
    }),
    { numRuns: 500 },
  );
});
