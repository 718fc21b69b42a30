/** Shuts a server down: refuses new requests and waits for responses in progress. */
import type { ServerResponse } from "node:http";

export interface Drain {
  /** Whether new requests are refused. */
  readonly isDraining: boolean;
  /** Registers a response in progress. */
  note(response: ServerResponse): void;
  /**
   * Refuses requests from now on and keeps no connection alive. Settles when no response is in progress. Idempotent.
   */
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

/** Closes the connection after the response, unless its headers were already sent. */
function closeAfter(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("connection", "close");
}
