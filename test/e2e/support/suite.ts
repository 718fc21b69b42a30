/** One gateway, or one private runtime, for all tests of a file. */
import { after, before } from "node:test";
import { createEmbedded, type Embedded } from "../../../src/embedded/containerd.ts";
import { removeAllPods } from "../../../src/runtimes/remove-pods.ts";
import { type Gateway, type GatewayOptions, newFolder, removeFolder, startGateway } from "./gateway.ts";

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

/** The same with a private runtime in `dataDir`, a fresh folder, and no gateway in front of it. */
export function useRuntime(
  skip: string | false,
  prepare: (runtime: Embedded) => void = () => undefined,
): { readonly dataDir: string; readonly runtime: () => Embedded } {
  const dataDir = newFolder();
  let embedded: Embedded | undefined;
  before(async () => {
    if (skip !== false) return;
    // Tests that kill its containerd start another one themselves.
    const quietly = { report: () => undefined, install: false, restart: false };
    embedded = await createEmbedded({ ...quietly, dataDir, removePods: removeAllPods });
    prepare(embedded);
  });
  after(async () => {
    await embedded?.close();
    await removeFolder(dataDir);
  });
  return {
    dataDir,
    runtime() {
      if (embedded === undefined) throw new Error("Cannot use the runtime: it has not started");
      return embedded;
    },
  };
}
