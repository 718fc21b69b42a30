import assert from "node:assert/strict";
import { test } from "node:test";
import { createRates } from "../../../src/limits/rates.ts";

function clock() {
  const time = { ms: 0 };
  return { time, now: () => time.ms };
}

test("take() permits a burst, then the rate, and says how long to wait", () => {
  const { time, now } = clock();
  const rates = createRates({ burstSeconds: 2, now });
  const taken = Array.from({ length: 25 }, () => rates.take("a", 10));
  assert.equal(taken.filter((waitMs) => waitMs === 0).length, 20);
  assert.deepEqual(taken.slice(20), [100, 100, 100, 100, 100], "refusals are not counted");
  time.ms = 99;
  assert.ok(rates.take("a", 10) > 0);
  time.ms = 100;
  assert.equal(rates.take("a", 10), 0, "one that waits as long as it was told to passes");
  assert.ok(rates.take("a", 10) > 0);
});

test("take() holds a key to its rate over time, however it is spread", () => {
  const { time, now } = clock();
  const rates = createRates({ burstSeconds: 2, now });
  let passed = 0;
  for (; time.ms < 60_000; time.ms += 7) if (rates.take("a", 50) === 0) passed++;
  assert.ok(passed >= 3000 && passed <= 3100, String(passed));
});

test("take() counts each key on its own", () => {
  const { now } = clock();
  const rates = createRates({ burstSeconds: 1, now });
  for (let sent = 0; sent < 100; sent++) rates.take("loud", 5);
  for (let sent = 0; sent < 5; sent++) assert.equal(rates.take("quiet", 5), 0);
});

test("a million keys take no more memory than the maximum, and keep the one in use", () => {
  const { now } = clock();
  const rates = createRates({ burstSeconds: 1, maxKeys: 1000, now });
  for (let sent = 0; sent < 3; sent++) rates.take("used", 2);
  for (let number = 0; number < 1_000_000; number++) {
    rates.take(`key ${number}`, 2);
    if (number % 500 === 0) assert.ok(rates.take("used", 2) > 0);
  }
  assert.equal(rates.size, 1000);
});
