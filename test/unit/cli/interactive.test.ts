import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { DetachFilter, parseDetachKeys } from "../../../src/cli/interactive/detach-keys.ts";
import { sendInput } from "../../../src/cli/interactive/input.ts";
import { enterRawMode } from "../../../src/cli/interactive/raw-mode.ts";
import type { Input } from "../../../src/cli/terminal.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

test("parseDetachKeys() reads docker's notation", () => {
  assert.deepEqual([...parseDetachKeys("ctrl-p,ctrl-q")], [16, 17]);
  assert.deepEqual([...parseDetachKeys("ctrl-],x,ctrl-@")], [29, 120, 0]);
  assert.deepEqual([...parseDetachKeys("")], []);
  for (const wrong of ["ctrl-", "ctrl-1", "xy", "a,,b", "é", "ctrl-p,".repeat(16_384)])
    assert.throws(
      () => parseDetachKeys(wrong),
      /^StartError: --detach-keys=.*: write letters or ctrl-LETTER/,
    );
});

test("DetachFilter finds the keys however the input is cut, and passes on everything else", () => {
  const keys = bytes("aab");
  // Any text of these letters, cut anywhere.
  for (let number = 0; number < 3 ** 6; number++) {
    const input = number
      .toString(3)
      .padStart(6, "0")
      .replaceAll("0", "a")
      .replaceAll("1", "b")
      .replaceAll("2", "c");
    const at = input.indexOf("aab");
    for (let cut = 0; cut <= input.length; cut++) {
      const filter = new DetachFilter(keys);
      let passed = "";
      let isDetached = false;
      for (const piece of [input.slice(0, cut), input.slice(cut)]) {
        if (isDetached) break;
        const filtered = filter.take(bytes(piece));
        passed += text(filtered.data);
        isDetached = filtered.isDetached;
      }
      assert.equal(isDetached, at !== -1, input);
      if (isDetached) assert.equal(passed, input.slice(0, at), input);
      else assert.equal(passed + text(filter.release()), input, input);
    }
  }
});

test("DetachFilter without keys passes on the input as it is", () => {
  const data = Uint8Array.of(16, 17, 0, 255);
  assert.equal(new DetachFilter(parseDetachKeys("")).take(data).data, data);
});

/** A terminal that remembers its modes. */
function fakeTerminal(): { readonly stdin: Input; readonly modes: boolean[] } {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    isRaw: false,
    setRawMode(mode: boolean) {
      modes.push(mode);
      stdin.isRaw = mode;
    },
  });
  return { stdin, modes };
}

test("enterRawMode() restores the mode once, on every way out", () => {
  const waysOut: readonly ((world: {
    events: EventEmitter;
    stop: AbortController;
    leave: () => void;
  }) => void)[] = [
    ({ leave }) => leave(),
    ({ stop }) => stop.abort(),
    ({ events }) => void events.emit("exit"),
  ];
  for (const wayOut of waysOut) {
    const { stdin, modes } = fakeTerminal();
    const events = new EventEmitter();
    const stop = new AbortController();
    const leave = enterRawMode(stdin, stop.signal, { events });
    assert.deepEqual(modes, [true]);
    wayOut({ events, stop, leave });
    assert.deepEqual(modes, [true, false]);
    leave();
    stop.abort();
    events.emit("exit");
    assert.deepEqual(modes, [true, false]);
    assert.deepEqual(events.eventNames(), []);
  }
});

test("enterRawMode() enters it again when a stopped process goes on", () => {
  const { stdin, modes } = fakeTerminal();
  const events = new EventEmitter();
  let times = 0;
  const leave = enterRawMode(stdin, new AbortController().signal, { events, continued: () => times++ });
  events.emit("SIGCONT");
  assert.deepEqual([modes, times], [[true, false, true], 1]);
  leave();
  events.emit("SIGCONT");
  assert.deepEqual(modes, [true, false, true, false]);
});

test("enterRawMode() leaves a pipe alone, and a terminal that was interrupted before", () => {
  enterRawMode(new PassThrough(), new AbortController().signal)();
  const { stdin, modes } = fakeTerminal();
  enterRawMode(stdin, AbortSignal.abort())();
  assert.deepEqual(modes, []);
});

test("sendInput() waits for room, and passes on the end", async () => {
  const stdin = new PassThrough();
  const log: string[] = [];
  let release = (): void => undefined;
  const writer = {
    write: (data: string | Uint8Array) => {
      log.push(typeof data === "string" ? data : text(data));
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    },
    end: async () => void log.push("end"),
  };
  sendInput(stdin, writer, { failed: assert.fail });
  stdin.write("one");
  await turn();
  stdin.write("two");
  stdin.end();
  await turn();
  assert.deepEqual(log, ["one"]);
  release();
  await turn();
  // The writer keeps the order itself.
  assert.deepEqual(log, ["one", "two", "end"]);
});

test("sendInput() leaves with the detach keys, and keeps nothing that was typed before", async () => {
  const stdin = new PassThrough();
  let sent = "";
  let times = 0;
  const writer = {
    async write(data: string | Uint8Array) {
      sent += typeof data === "string" ? data : text(data);
    },
    end: async () => assert.fail(),
  };
  sendInput(stdin, writer, { detachKeys: bytes("qq"), detached: () => times++, failed: assert.fail });
  stdin.write("aqb");
  stdin.write("cq");
  await turn();
  stdin.write("qlost");
  await turn();
  assert.deepEqual([sent, times], ["aqbc", 1]);
  assert.equal(stdin.listenerCount("data"), 0);
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
