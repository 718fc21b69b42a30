/** The keys that leave a session without ending it, found in the input. */
import { StartError } from "../../errors.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Control characters by their names: `ctrl-a` is 1. */
const controls = "@abcdefghijklmnopqrstuvwxyz[\\]^_";

/**
 * Reads docker's notation: `ctrl-p,ctrl-q`, `ctrl-],x`. An empty text means that no keys leave the session.
 *
 * @throws {StartError}
 */
export function parseDetachKeys(text: string): Uint8Array {
  const keys = text === "" ? [] : text.split(",");
  return Uint8Array.from(keys, (key) => {
    const control = /^ctrl-(.)$/i.exec(key)?.[1]?.toLowerCase();
    const code = control === undefined ? key.charCodeAt(0) : controls.indexOf(control);
    const isKey = control === undefined ? key.length === 1 && code > 31 && code < 127 : code !== -1;
    if (!isKey || keys.length > 16)
      throw new StartError(
        `--detach-keys=${text.slice(0, 64)}: write letters or ctrl-LETTER, such as --detach-keys=${defaultDetachKeys}`,
      );
    return code;
  });
}

export interface Filtered {
  /** What goes to the command. */
  readonly data: Uint8Array;
  /** Whether the keys were pressed; what follows them is dropped. */
  readonly isDetached: boolean;
}

/** Looks for the keys in input that comes in pieces. Holds back a beginning of them, as it may become the whole. */
export class DetachFilter {
  readonly #keys: Uint8Array;
  /** How many of the keys came last. */
  #held = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** Whether keys are held back. */
  get isHolding(): boolean {
    return this.#held > 0;
  }

  take(data: Uint8Array): Filtered {
    const keys = this.#keys;
    // Nearly all input has none of them.
    if (keys.length === 0 || (this.#held === 0 && !data.includes(keys[0] ?? 0)))
      return { data, isDetached: false };
    const passed = new Uint8Array(this.#held + data.length);
    let length = 0;
    for (const byte of data) {
      while (this.#held > 0 && keys[this.#held] !== byte) length = this.#shift(passed, length);
      if (keys[this.#held] === byte) this.#held++;
      else passed[length++] = byte;
      if (this.#held < keys.length) continue;
      this.#held = 0;
      return { data: passed.subarray(0, length), isDetached: true };
    }
    return { data: passed.subarray(0, length), isDetached: false };
  }

  /** What is held back, as no more keys came. */
  release(): Uint8Array {
    const held = this.#keys.slice(0, this.#held);
    this.#held = 0;
    return held;
  }

  /** Passes on as many held keys as needed for the rest to be a beginning again. */
  #shift(passed: Uint8Array, start: number): number {
    let length = start;
    const held = this.#keys.subarray(0, this.#held);
    for (let from = 1; ; from++) {
      passed[length++] = held[from - 1] ?? 0;
      const rest = held.subarray(from);
      if (rest.every((byte, index) => byte === this.#keys[index])) {
        this.#held = rest.length;
        return length;
      }
    }
  }
}
