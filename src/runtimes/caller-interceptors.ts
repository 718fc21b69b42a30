/**
 * Interceptors for every call made on behalf of a caller. They refuse calls in the wrong state, verify that a success
 * is what was asked for, and explain failures. Calls with `asIs` bypass them.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import { type Interceptor, only } from "./compose.ts";
import { asExecTimeout } from "./exec-timeout.ts";
import { stopFirst } from "./stop-first.ts";
import { subjectOf } from "./subject.ts";
import { checkPreconditions, translateError } from "./translate-error.ts";
import { verifyReply } from "./verify-reply.ts";

/** Options for the additional reads around a call. */
const readOptions = ({ onCancel }: CallOptions): CallOptions => (onCancel === undefined ? {} : { onCancel });

/** Refuses a call whose pod or container is in the wrong state, because some runtimes would proceed regardless. */
const withPreconditions: Interceptor = (below) => ({
  ...below,
  async call(rpc, request, options = {}) {
    if (!options.asIs) await checkPreconditions(below, rpc, subjectOf(rpc, request), readOptions(options));
    return below.call(rpc, request, options);
  },
});

/** Stops containers in our own order and with our own grace period, before the runtime stops them implicitly. */
const withStopsFirst: Interceptor = (below) => ({
  ...below,
  async call(rpc, request, options = {}) {
    if (!options.asIs) {
      const { graceSeconds } = options;
      await stopFirst(below, rpc, { request, graceSeconds }, readOptions(options));
    }
    return below.call(rpc, request, options);
  },
});

/** Fails when the runtime reports success for something that it did not do. */
const withVerifiedReplies: Interceptor = (below) => ({
  ...below,
  async call(rpc, request, options = {}) {
    const calledAtMs = Date.now();
    const reply = await below.call(rpc, request, options);
    if (!options.asIs)
      await verifyReply(below, rpc, { reply, request, calledAtMs, options: readOptions(options) });
    return reply;
  },
});

/** Translates failures of calls and streams into what they mean to the caller. */
const withTranslatedErrors: Interceptor = (below) => {
  async function translate(
    rpc: Rpc,
    request: Uint8Array,
    thrown: unknown,
    options: CallOptions,
  ): Promise<unknown> {
    if (options.asIs || !(thrown instanceof GatewayError)) return thrown;
    const subject = subjectOf(rpc, request);
    const error = asExecTimeout(rpc, subject, thrown);
    return await translateError(below, rpc, subject, { error, options: readOptions(options) });
  }
  return {
    ...below,
    async call(rpc, request, options = {}) {
      try {
        return await below.call(rpc, request, options);
      } catch (error) {
        if (error instanceof GatewayError && (await hasStopped(below, rpc, request, error))) return nothing;
        const meaning = await translate(rpc, request, error, options);
        // The target existed when the request came in and is gone now, perhaps because of an earlier attempt of this
        // call. cri-dockerd fails to remove what does not exist; the other runtimes succeed.
        const isGone = meaning instanceof GatewayError && meaning.code === "not_found";
        if (isGone && !options.asIs && rpcRules[rpc].removes !== undefined) return nothing;
        throw meaning;
      }
    },
    async *stream(rpc, request, options = {}) {
      try {
        yield* below.stream(rpc, request, options);
      } catch (error) {
        throw await translate(rpc, request, error, options);
      }
    },
  };
};

const nothing = Buffer.alloc(0);

/** containerd may report `ttrpc: closed` if the container exits between the stop signal and the kill. */
async function hasStopped(
  runtime: Runtime,
  rpc: Rpc,
  request: Uint8Array,
  error: GatewayError,
): Promise<boolean> {
  if (!rpcRules[rpc].stopsOne || !/ttrpc: closed/.test(error.words)) return false;
  const { containerId = "" } = subjectOf(rpc, request);
  const { status } = await call(runtime, "RuntimeService/ContainerStatus", { containerId });
  return status?.state === "CONTAINER_EXITED";
}

/** All of the above, innermost first. */
export const callerInterceptors: readonly Interceptor[] = [
  only(({ verify }) => verify !== undefined, withVerifiedReplies),
  only(({ stopsContainers }) => stopsContainers !== undefined, withStopsFirst),
  withTranslatedErrors,
  only(({ stateKnown }) => stateKnown === "before", withPreconditions),
];
