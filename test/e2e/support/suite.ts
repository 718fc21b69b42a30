/** One gateway, or one private runtime, for all tests of a file. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { createApp } from "../../../src/app.ts";
import { parseCommandLine } from "../../../src/config.ts";
import { connect } from "../../../src/cri/channel.ts";
import { createEmbedded, type Embedded } from "../../../src/embedded/containerd.ts";
import { removeAllPods } from "../../../src/runtimes/remove-pods.ts";
import { type Api, createApi } from "./api.ts";
import { type Gateway, type GatewayOptions, newFolder, removeFolder, startGateway } from "./gateway.ts";
import { newName } from "./pods.ts";

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

export interface RuntimeSuite {
  readonly dataDir: string;
  readonly runtime: () => Embedded;
  /** Runs `use` with `crest serve FLAGS` in front of it, in this process: a gateway for every flag takes no time. */
  permitting(flags: readonly string[], use: (api: Api) => Promise<void>): Promise<void>;
}

/** The same with a private runtime in `dataDir`, a fresh folder, and no gateway in front of it. */
export function useRuntime(
  skip: string | false,
  prepare: (runtime: Embedded) => void = () => undefined,
): RuntimeSuite {
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
  function runtime(): Embedded {
    if (embedded === undefined) throw new Error("Cannot use the runtime: it has not started");
    return embedded;
  }
  return {
    dataDir,
    runtime,
    async permitting(flags, use) {
      const args = ["serve", `--data-dir=${dataDir}`, "--listen=127.0.0.1:0", ...flags];
      const command = parseCommandLine(args, {});
      assert.ok("config" in command);
      const connection = connect({ runtimeEndpoint: runtime().socket });
      const token = newName();
      const app = createApp({ config: command.config, runtime: connection, token, log: () => undefined });
      const api = createApi(await app.listen(), token);
      try {
        await use(api);
      } finally {
        api.close();
        await app.close();
        connection.close();
      }
    },
  };
}
