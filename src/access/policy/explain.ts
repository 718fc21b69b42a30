/** `crest policy check`: what a policy makes of a pod or a container, without running anything. */
import { decodeRequest, encodeCallers } from "../../cri/codec.ts";
import { GatewayError, StartError } from "../../errors.ts";
import type { Rpc } from "../../gen/methods.ts";
import type { Grants, PolicyLevel } from "../../grants.ts";
import { InvalidValue, jsonPointer } from "../../wire/invalid-value.ts";
import { parseJson } from "../../wire/parse-json.ts";
import { createPodPolicy, type PodPolicyOptions } from "./pod-policy.ts";

type Json = { readonly [name: string]: unknown };

/** The policy to explain: a level, and the host words that are granted and denied besides. */
export interface Explained extends Omit<PodPolicyOptions, "level"> {
  readonly level: PolicyLevel;
  readonly grants: Grants;
}

export interface Explanation {
  readonly isPermitted: boolean;
  /** For a terminal, a line for each reason or each value that is filled in. */
  readonly text: string;
}

/** The request, and its field beside `config`. */
interface Posted {
  readonly rpc: Rpc;
  readonly beside: string;
}
const asPod: Posted = { rpc: "RuntimeService/RunPodSandbox", beside: "runtimeHandler" };
const asContainer: Posted = { rpc: "RuntimeService/CreateContainer", beside: "sandboxConfig" };

/**
 * Explains the decision about `body`, which is what a caller posts to `/v1/pods`, or, with an image, to
 * `/v1/pods/ID/containers`. A container's pod is taken to have no rights of its own.
 *
 * @throws {StartError} for a body that is no config.
 */
export function explainPolicy(body: Buffer, { grants, ...options }: Explained): Explanation {
  const given = readBody(body);
  const { rpc, beside } = "image" in given ? asContainer : asPod;
  const { [beside]: other, ...config } = given;
  const request = requestOf(rpc, { config, ...(other === undefined ? {} : { [beside]: other }) });
  try {
    const allowed = createPodPolicy(options).apply(rpc, request, { name: "check", grants });
    const filled = changes(request.config, allowed.config, []);
    return {
      isPermitted: true,
      text: [
        `permitted by ${options.level}${filled.length > 0 ? ", with these values filled in:" : ", as it is"}`,
        ...filled,
      ].join("\n"),
    };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const reasons = error.errors.map(
      ({ pointer = "", detail, grant }) =>
        `  ${pointer.replace(/^\/config/, "")} ${detail}; permitted ${remedy(grant)}`,
    );
    return { isPermitted: false, text: [`refused by ${options.level}:`, ...reasons].join("\n") };
  }
}

const remedy = (grant = ""): string => (grant.startsWith("--") ? `with ${grant}` : grant);

function readBody(body: Buffer): Json {
  try {
    const given = parseJson(body);
    if (typeof given === "object" && given !== null && !Array.isArray(given)) return given as Json;
  } catch (error) {
    throw new StartError(`is not JSON: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  throw new StartError("must be a JSON object, as it is posted to /v1/pods");
}

function requestOf(rpc: Rpc, message: { [name: string]: unknown }): Json {
  try {
    return { ...decodeRequest(rpc, encodeCallers(rpc, message)) };
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new StartError(`${error.pointer.replace(/^\/config/, "")} ${error.detail}`, { cause: error });
  }
}

/** The values that differ, with their places. */
function changes(before: unknown, after: unknown, path: readonly string[]): readonly string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (typeof after !== "object" || after === null || Array.isArray(after))
    return [`  ${jsonPointer(path)} ${JSON.stringify(after)}`];
  return Object.entries(after).flatMap(([name, value]) =>
    changes((before as Json | undefined)?.[name], value, [...path, name]),
  );
}
