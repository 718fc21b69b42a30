/**
 * Calls that many readers share. The invariants are held by a property test over random interleavings of
 * readers that come, leave and finish with calls that land or fail.
 */
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import fc from "fast-check";
import { createSingleflight, type Share, type Shared } from "../../../src/api/singleflight.ts";
import { CallCancelled } from "../../../src/cri/channel.ts";
import { GatewayError } from "../../../src/errors.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A call behind a flight, in the hands of the test. */
interface Call {
  readonly number: number;
  readonly key: string;
  /** When it began, on the clock of the test. */
  readonly begunAt: number;
  cancelled: boolean;
  settled: boolean;
  landed: boolean;
  released: number;
  land(): void;
  fail(error: Error): void;
}

/** One who waits for an answer. */
interface Reader {
  readonly key: string;
  readonly arrivedAt: number;
  state: "waiting" | "left" | "served" | "done" | "failed";
  shared?: Shared<Call>;
  error?: unknown;
  leave(): void;
}

interface World {
  readonly share: Share;
  readonly calls: Call[];
  readonly readers: Reader[];
  arrive(key: string, deadlineMs?: number): Reader;
  release(reader: Reader): void;
}

function createWorld(share: Share = createSingleflight()): World {
  const calls: Call[] = [];
  const readers: Reader[] = [];
  let clock = 0;

  /** `late`: the way to cancel it is told a moment after it has begun. */
  function produce(key: string, late: boolean) {
    return async (onCancel: (cancel: () => void) => void): Promise<Shared<Call>> => {
      let resolve: (value: Shared<Call>) => void = () => undefined;
      let reject: (error: Error) => void = () => undefined;
      const promise = new Promise<Shared<Call>>((fulfil, refuse) => {
        resolve = fulfil;
        reject = refuse;
      });
      const call: Call = {
        ...{
          number: calls.length,
          key,
          begunAt: ++clock,
          cancelled: false,
          settled: false,
          landed: false,
          released: 0,
        },
        land() {
          call.settled = true;
          call.landed = true;
          resolve({
            value: call,
            release: () => {
              call.released++;
            },
          });
        },
        fail(error) {
          call.settled = true;
          reject(error);
        },
      };
      calls.push(call);
      if (late) await Promise.resolve();
      onCancel(() => {
        call.cancelled = true;
        // Some calls cannot be stopped any more, and land all the same.
        if (!call.settled && call.number % 4 !== 3) call.fail(new CallCancelled("cancelled"));
      });
      return promise;
    };
  }

  return {
    share,
    calls,
    readers,
    arrive(key, deadlineMs = Number.POSITIVE_INFINITY) {
      const arrivedAt = ++clock;
      let leave = (): void => undefined;
      const reader: Reader = {
        ...{ key, arrivedAt, state: "waiting" as Reader["state"] },
        leave() {
          if (reader.state === "waiting") reader.state = "left";
          leave();
        },
      };
      readers.push(reader);
      const onCancel = (cancel: () => void): void => {
        leave = cancel;
      };
      share({ key, deadlineMs, onCancel }, produce(key, arrivedAt % 3 === 0)).then(
        (shared) => {
          assert.equal(reader.state, "waiting", "one who has left is not answered");
          reader.state = "served";
          reader.shared = shared;
        },
        (error: unknown) => {
          reader.error = error;
          if (reader.state === "waiting") reader.state = "failed";
        },
      );
      return reader;
    },
    release(reader) {
      if (reader.state !== "served") return;
      reader.state = "done";
      reader.shared?.release();
    },
  };
}

/** What must hold at every moment. */
function holdInvariants({ calls, readers }: World): void {
  for (const key of new Set(calls.map((call) => call.key))) {
    const under = calls.filter((call) => call.key === key && !call.settled);
    assert.ok(under.length <= 1, "two calls of one key are under way");
  }
  for (const { state, shared, arrivedAt, error, key } of readers) {
    if (shared) {
      assert.ok(shared.value.begunAt > arrivedAt, "a reader got a call that had begun before it came");
      assert.equal(shared.value.key, key);
      if (state === "served") assert.equal(shared.value.released, 0, "memory was given back under a reader");
    }
    if (state === "failed") {
      assert.ok(!(error instanceof CallCancelled), "a reader that has not left was cancelled");
    }
  }
  for (const { released } of calls) assert.ok(released <= 1, "memory was given back twice");
}

type Step =
  | { readonly do: "arrive"; readonly key: string; readonly deadlineMs: number }
  | { readonly do: "leave" | "release"; readonly who: number }
  | { readonly do: "land" | "fail"; readonly which: number }
  | { readonly do: "tick"; readonly ms: number };

const step: fc.Arbitrary<{ step: Step; settle: boolean }> = fc.record({
  step: fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("arrive" as const),
        key: fc.constantFrom("a", "a", "b"),
        deadlineMs: fc.constantFrom(5, 20, Number.POSITIVE_INFINITY),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom("leave" as const, "release" as const), who: fc.nat(40) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom("land" as const, "land" as const, "fail" as const),
        which: fc.nat(3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("tick" as const), ms: fc.constantFrom(1, 5, 20) }) },
  ),
  // Whether what follows from a step happens before the next one, or several steps come at once.
  settle: fc.boolean(),
});

async function run(world: World, steps: readonly { step: Step; settle: boolean }[]): Promise<void> {
  for (const { step, settle } of steps) {
    const under = world.calls.filter((call) => !call.settled);
    switch (step.do) {
      case "arrive":
        world.arrive(step.key, step.deadlineMs);
        break;
      case "leave":
        world.readers[step.who % Math.max(1, world.readers.length)]?.leave();
        break;
      case "release": {
        const reader = world.readers[step.who % Math.max(1, world.readers.length)];
        if (reader) world.release(reader);
        break;
      }
      case "land":
        under[step.which % Math.max(1, under.length)]?.land();
        break;
      case "fail":
        under[step.which % Math.max(1, under.length)]?.fail(new GatewayError("runtime_error", "failed"));
        break;
      case "tick":
        mock.timers.tick(step.ms);
        break;
    }
    if (settle) await turn();
    holdInvariants(world);
  }
}

/** Lets everything come to its end: calls land one after the other, readers finish. */
async function finish(world: World): Promise<void> {
  for (;;) {
    await turn();
    for (const reader of world.readers) world.release(reader);
    const under = world.calls.filter((call) => !call.settled);
    if (under.length === 0) break;
    for (const call of under) {
      const before = world.readers.filter(({ shared }) => shared?.value === call).length;
      assert.equal(before, 0);
      call.land();
      await turn();
      const served = world.readers.filter(({ shared }) => shared?.value === call).length;
      assert.ok(served > 0 || call.cancelled, "a call went on though all its readers had left");
    }
  }
  holdInvariants(world);
  for (const reader of world.readers) assert.notEqual(reader.state, "waiting", "a reader waits for ever");
}

/** CREST_TEST_SEED makes a run repeatable; without it each run is new. */
const seed = process.env.CREST_TEST_SEED ? Number(process.env.CREST_TEST_SEED) : Date.now() % 2 ** 31;

test(`sharing is linearizable and its memory goes back once, whatever the interleaving (seed ${seed})`, async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const world = createWorld();
      await run(world, steps);
      await finish(world);
      for (const call of world.calls) {
        const served = world.readers.filter(({ shared }) => shared?.value === call);
        assert.equal(call.released, call.landed ? 1 : 0, "memory comes back once from each call that landed");
        assert.ok(served.length === 0 || !call.cancelled, "a reader of a cancelled call had not left");
      }
      for (const { state, error } of world.readers) {
        if (state !== "failed") continue;
        assert.ok(error instanceof GatewayError);
        assert.ok(["runtime_error", "deadline_exceeded"].includes(error.code), error.code);
      }
      // Nothing is left behind: who comes now is served by a call of its own, at once.
      const before = world.calls.length;
      for (const key of ["a", "b"]) {
        world.arrive(key);
        await turn();
      }
      assert.equal(world.calls.length, before + 2);
      await finish(world);
      assert.ok(world.calls.slice(before).every(({ released }) => released === 1));
    } finally {
      mock.timers.reset();
    }
  });
  await fc.assert(property, { seed, numRuns: 1000, includeErrorInReport: true });
});

test("memory comes back once also when every reader has left a call that lands all the same", async () => {
  const world = createWorld();
  const [one, two] = [world.arrive("a"), world.arrive("a")];
  await turn();
  const [first] = world.calls;
  assert.ok(first);
  // A call that cannot be stopped any more.
  first.settled = true;
  one.leave();
  first.land();
  await turn();
  assert.equal(first.released, 1);
  await finish(world);
  assert.equal(two.shared?.value.number, 1);
});

test("a reader that comes while a call is under way never gets that call's answer", async () => {
  const world = createWorld();
  const early = world.arrive("a");
  const sameTurn = world.arrive("a");
  await turn();
  const later = [world.arrive("a"), world.arrive("a")];
  await turn();
  assert.equal(world.calls.length, 1);
  world.calls[0]?.land();
  await turn();
  assert.equal(world.calls.length, 2, "those who waited share the next call");
  const last = world.arrive("a");
  world.calls[1]?.land();
  await turn();
  world.calls[2]?.land();
  await turn();
  const numbers = [early, sameTurn, ...later, last].map(({ shared }) => shared?.value.number);
  assert.deepEqual(numbers, [0, 1, 1, 1, 2]);
});

test("keys do not wait for each other", async () => {
  const world = createWorld();
  for (const key of ["a", "b", "c"]) world.arrive(key);
  await turn();
  assert.deepEqual(
    world.calls.map(({ key }) => key),
    ["a", "b", "c"],
  );
  await finish(world);
});

test("one who leaves cancels nobody, the last one cancels the call", async () => {
  const world = createWorld();
  world.arrive("a");
  await turn();
  const [one, two, three] = [world.arrive("a"), world.arrive("a"), world.arrive("a")];
  world.calls[0]?.land();
  await turn();
  const [, second] = world.calls;
  one.leave();
  two.leave();
  one.leave();
  two.leave();
  await turn();
  assert.equal(second?.cancelled, false, "leaving twice does not count twice");
  three.leave();
  await turn();
  assert.equal(second?.cancelled, true);
  assert.ok(three.error instanceof CallCancelled);
});

test("a call that nobody waits for any more is not made", async () => {
  const world = createWorld();
  world.arrive("a");
  await turn();
  const waiting = [world.arrive("a"), world.arrive("a")];
  for (const reader of waiting) reader.leave();
  world.calls[0]?.land();
  await turn();
  assert.equal(world.calls.length, 1);
  assert.ok(waiting.every(({ error }) => error instanceof CallCancelled));
  const next = world.arrive("a");
  await turn();
  world.calls[1]?.land();
  await turn();
  assert.equal(next.state, "served");
});

test("one who comes after all that waited have left is served", async () => {
  const world = createWorld();
  world.arrive("a");
  await turn();
  world.arrive("a").leave();
  const stays = world.arrive("a");
  world.calls[0]?.land();
  await turn();
  world.calls[1]?.land();
  await turn();
  assert.equal(stays.shared?.value.number, 1);
});

test("who has left before it came asks for nothing", async () => {
  const share = createSingleflight();
  let calls = 0;
  const gone = share({ key: "a", deadlineMs: 1000, onCancel: (cancel) => cancel() }, async () => {
    calls++;
    return { value: 1, release: () => undefined };
  });
  await assert.rejects(gone, CallCancelled);
  assert.equal(calls, 0);
});

test("a call whose readers left before it told how to cancel it is cancelled then", async () => {
  const share = createSingleflight();
  let leave = (): void => undefined;
  let tell = (): void => undefined;
  let cancelled = 0;
  const answer = share({ key: "a", deadlineMs: 1000, onCancel: (cancel) => (leave = cancel) }, (onCancel) => {
    return new Promise<Shared<never>>((_resolve, reject) => {
      tell = () =>
        onCancel(() => {
          cancelled++;
          reject(new CallCancelled("cancelled"));
        });
    });
  });
  await turn();
  leave();
  tell();
  await assert.rejects(answer, CallCancelled);
  assert.equal(cancelled, 1);
});

test("all readers of a failed call get its error, and the next call is made", async () => {
  const world = createWorld();
  world.arrive("a");
  await turn();
  const together = [world.arrive("a"), world.arrive("a"), world.arrive("a")];
  world.calls[0]?.land();
  await turn();
  const error = new GatewayError("runtime_unavailable", "gone");
  const after = world.arrive("a");
  world.calls[1]?.fail(error);
  await turn();
  assert.ok(together.every((reader) => reader.error === error));
  world.calls[2]?.land();
  await turn();
  assert.equal(after.state, "served");
});

test("a call that throws before it begins is an error like any other", async () => {
  const share = createSingleflight();
  const options = { key: "a", deadlineMs: 1000, onCancel: () => undefined };
  const broken = share(options, () => {
    throw new GatewayError("internal", "broken");
  });
  await assert.rejects(broken, { code: "internal" });
  const fine = await share(options, async () => ({ value: 1, release: () => undefined }));
  assert.equal(fine.value, 1);
});

test("one who waits for a call to begin waits no longer than its own deadline", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = createWorld();
  const first = world.arrive("a", 10);
  await turn();
  const [short, long] = [world.arrive("a", 10), world.arrive("a", 1000)];
  t.mock.timers.tick(9);
  await turn();
  assert.equal(short.state, "waiting");
  t.mock.timers.tick(1);
  await turn();
  assert.ok(short.error instanceof GatewayError);
  assert.equal(short.error.code, "deadline_exceeded");
  assert.equal(first.state, "waiting", "its own call has a deadline of its own");
  world.calls[0]?.land();
  await turn();
  const [, second] = world.calls;
  assert.equal(second?.cancelled, false, "another still waits");
  second?.land();
  await turn();
  assert.equal(long.state, "served");
  world.release(first);
  world.release(long);
  assert.equal(second?.released, 1);
});

test("the deadline of the last who waits cancels the call", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = createWorld();
  world.arrive("a", 10);
  await turn();
  const second = world.arrive("a", 10);
  world.calls[0]?.land();
  await turn();
  assert.equal(world.calls.length, 2);
  t.mock.timers.tick(10);
  await turn();
  assert.equal(world.calls[1]?.cancelled, true);
  assert.equal((second.error as GatewayError).code, "deadline_exceeded");
});

test("a thousand readers share two calls", async () => {
  const world = createWorld();
  for (let count = 0; count < 1000; count++) world.arrive("a");
  await turn();
  world.calls[0]?.land();
  await turn();
  world.calls[1]?.land();
  await turn();
  assert.equal(world.calls.length, 2);
  const [, second] = world.calls;
  for (const reader of world.readers) {
    assert.equal(reader.state, "served");
    assert.ok((second?.released ?? 0) === 0);
    world.release(reader);
  }
  assert.deepEqual(
    world.calls.map(({ released }) => released),
    [1, 1],
  );
});
