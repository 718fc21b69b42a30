/** The end of a server: from when on it refuses, and when the last answer under way has been given. */
import type { ServerResponse } from "node:http";

export interface Drain {
  /** Whether new requests are refused. */
  readonly isDraining: boolean;
  /** An answer is under way. */
  note(response: ServerResponse): void;
  /** Refuses from now on, and keeps no connection. Settles when no answer is under way; may be called again. */
  begin(): Promise<void>;
}

export function createDrain(): Drain {
  let isDraining = false;
  const underWay = new Set<ServerResponse>();
  let settle = (): void => {};
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const look = (): void => {
    if (isDraining && underWay.size === 0) settle();
  };
  return {
    get isDraining() {
      return isDraining;
    },
    note(response) {
      underWay.add(response);
      if (isDraining) closeAfter(response);
      response.once("close", () => {
        underWay.delete(response);
        look();
      });
    },
    begin() {
      isDraining = true;
      for (const response of underWay) closeAfter(response);
      look();
      return done;
    },
  };
}

/** Has the connection end with the response, if its headers have not been sent yet. */
function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}
