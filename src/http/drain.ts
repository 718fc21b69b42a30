/** The end of a server: from when on it refuses, and when the last answer under way has been given. */
import type { ServerResponse } from "node:http";

export interface Drain {
  /** Whether new requests are refused. */
  readonly isDraining: boolean;
  /** An answer is under way. */
  note(response: ServerResponse): void;
  /** Refuses from now on. Settles when no answer is under way; may be called again. */
  begin(): Promise<void>;
}

export function createDrain(): Drain {
  let isDraining = false;
  let underWay = 0;
  let settle = (): void => {};
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const look = (): void => {
    if (isDraining && underWay === 0) settle();
  };
  return {
    get isDraining() {
      return isDraining;
    },
    note(response) {
      underWay++;
      response.once("close", () => {
        underWay--;
        look();
      });
    },
    begin() {
      isDraining = true;
      look();
      return done;
    },
  };
}
