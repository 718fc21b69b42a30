/** One gateway for all tests of a file. */
import { after, before } from "node:test";
import { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";

export interface SuiteOptions extends GatewayOptions {
  /** Makes what all the tests need, once the gateway serves. */
  readonly prepare?: (gateway: Gateway) => Promise<void>;
}

/**
 * Starts `crest up` before the first test of a file and stops it after the last, unless the tests are
 * skipped. The answer gives the gateway while tests run.
 */
export function useGateway(skip: string | false, options: SuiteOptions = {}): () => Gateway {
  let gateway: Gateway | undefined;
  before(async () => {
    if (skip !== false) return;
    gateway = await startGateway("up", options);
    await options.prepare?.(gateway);
  });
  after(() => gateway?.close());
  return () => {
    if (gateway === undefined) throw new Error("Cannot use the gateway: it has not started");
    return gateway;
  };
}
