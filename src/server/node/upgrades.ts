/** Which requests take their connection out of HTTP. See README.md. */
import { IncomingMessage } from "node:http";

const offered = Symbol("what the parser found");
const accepted = Symbol("whether the request is an upgrade");

/**
 * Returns the class of request that a server needs in order to upgrade only what `accepts` says. It is asked once for a
 * request with `Upgrade`, as soon as the headers have come. CONNECT is always an upgrade.
 */
export function upgradeOnly(accepts: (request: IncomingMessage) => boolean): typeof IncomingMessage {
  return class extends IncomingMessage {
    // Only declared: Node's constructor sets `upgrade` before fields of this class would be there.
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

/** Whether Node has let go of the request's connection: only the WebSocket server listens to it now. */
export function isUpgraded(request: IncomingMessage & { readonly upgrade?: boolean }): boolean {
  return request.upgrade === true;
}
