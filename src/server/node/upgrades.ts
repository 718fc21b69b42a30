/** Decides which requests take their connection out of HTTP. See README.md. */
import { IncomingMessage } from "node:http";

const offered = Symbol("what the parser found");
const accepted = Symbol("whether the request is an upgrade");

/**
 * Returns the request class for a server that upgrades only the requests that `accepts` approves. `accepts` is called
 * at most once for each request with `Upgrade`, as soon as its headers have arrived. CONNECT is always an upgrade.
 */
export function upgradeOnly(accepts: (request: IncomingMessage) => boolean): typeof IncomingMessage {
  return class extends IncomingMessage {
    // Declared without a value: Node's constructor sets `upgrade` before this class's fields would be initialized.
    declare [offered]: boolean;
    declare [accepted]?: boolean;

    get upgrade(): boolean {
      if (!this[offered]) return false;
      this[accepted] ??= this.method === "CONNECT" || accepts(this);
      return this[accepted];
    }

    set upgrade(value: boolean) {
      this[offered] = value;
    }
  };
}

/** Whether Node no longer manages the request's connection: only the WebSocket server listens to it now. */
export function isUpgraded(request: IncomingMessage & { readonly upgrade?: boolean }): boolean {
  return request.upgrade === true;
}
