/** `crest version` */
import { CrestError, type VersionReply } from "../../client/index.ts";
import { StartError } from "../../errors.ts";
import { version } from "../../version.ts";
import type { CommandContext, Run } from "../context.ts";
import { facts } from "../output/facts.ts";
import { jsonBody, printJson } from "../output/json.ts";
import { printYaml } from "../output/listing.ts";
import { isShownInstead, tellFailure } from "../tell-failure.ts";
import { write } from "../terminal.ts";

export const run: Run<"version"> = async (ctx) => {
  const { flags, stdout, stderr } = ctx;
  const client = { version, criVersion: "v1", nodeVersion: process.version };
  const { server, failure } = await ask(ctx);
  if (flags.output === "json") await printJson({ client, server }, stdout);
  else if (flags.output === "yaml") await printYaml({ client, ...(server && { server }) }, stdout);
  else
    await write(
      stdout,
      facts([
        ["Client", `crest ${version} (CRI v1, Node ${process.version})`],
        ["Gateway", server && `crest ${server.version} at ${server.address}`],
        ["Runtime", server && runtimeText(server.runtime)],
      ]),
    );
  if (failure === undefined) return 0;
  tellFailure({ stderr }, failure);
  // Nothing is wrong if there is no gateway and none was named.
  return failure instanceof StartError && flags.server === undefined ? 0 : 1;
};

const runtimeText = ({ runtimeName, runtimeVersion, runtimeApiVersion }: VersionReply): string =>
  `${runtimeName} ${runtimeVersion} (CRI ${runtimeApiVersion})`;

interface Server {
  readonly address: string;
  readonly version: string;
  readonly runtime: VersionReply;
}

async function ask({
  connect,
  signal,
}: CommandContext<"version">): Promise<{ readonly server?: Server; readonly failure?: Error }> {
  try {
    const { crest, address } = await connect();
    const response = await crest.request("GET", "/v1/version", { signal });
    const gatewayVersion = response.headers.get("crest-version") ?? "unknown";
    return { server: { address, version: gatewayVersion, runtime: await jsonBody<VersionReply>(response) } };
  } catch (error) {
    if (
      isShownInstead(error) ||
      signal.aborted ||
      !(error instanceof CrestError || error instanceof StartError)
    )
      throw error;
    return { failure: error };
  }
}
