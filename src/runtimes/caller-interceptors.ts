/**
 * What is done to every call for a caller's sake: nothing happens in the wrong state, success is what was asked for,
 * and a failure says what it means. Calls with `asIs` pass.
 */

import { call } from "../cri/call.ts";
import type { CallOptions, Runtime } from "../cri/channel.ts";
import { rpcRules } from "../cri/rpc-rules.ts";
import { GatewayError } from "../errors.ts";
import type { Rpc } from "../gen/methods.ts";
import type { Interceptor } from "./compose.ts";
import { asExecTimeout } from "./exec-timeout.ts";
import { stopFirst } from "./stop-first.ts";
import { subjectOf } from "./subject.ts";
import { checkPreconditions, hasPrecondition, translateError } from "./translate-error.ts";
import { verifyReply } from "./verify-reply.ts";

/** For what is read beside the call. */
const readOptions = ({ onCancel }: CallOptions): CallOptions => (onCancel === undefined ? {} : { onCancel });

/** Refuses a call whose pod or container is in the wrong state, where some runtime would go on regardless. */
const withPreconditions: Interceptor = (below) => ({
  ...below,
  async call(rpc, request, options = {}) {
    if (!options.asIs && hasPrecondition(rpc))
      await checkPreconditions(below, rpc, subjectOf(rpc, request), readOptions(options));
    return below.call(rpc, request, options);
  },
});

/** Stops containers, in an order and with a grace of ours, before the runtime stops them on the way. */
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

/** Fails where the runtime says OK to what it did not do. */
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

/** Says what a failure means to the caller, in calls and in streams. */
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
        // It was there when the request came. It has gone since, perhaps by an earlier attempt of this very call:
        // cri-dockerd fails at what is not there, the others say OK.
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

/** containerd may say `ttrpc: closed` when the exit comes between the signal and the kill: it has stopped all the same. */
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

/** All of the above, from the runtime upwards. */
export const callerInterceptors: readonly Interceptor[] = [
  withVerifiedReplies,
  withStopsFirst,
  withTranslatedErrors,
  withPreconditions,
];
