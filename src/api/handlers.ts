/** The handlers of custom and stream routes, by route id. */
import { type Caller, canUse, layersOf, narrowing } from "../access/authorize.ts";
import { call } from "../cri/call.ts";
import { requestRules } from "../cri/request-rules.ts";
import { GatewayError } from "../errors.ts";
import type { ContainerStatus } from "../gen/messages.ts";
import { allGrants, type Grant } from "../grants.ts";
import { findContainerUsing } from "../inventory/find-container-using.ts";
import { watchState } from "../inventory/wait.ts";
import type { AnswerOf } from "../routes/answers.ts";
import type { HandledRouteId, StreamRouteId } from "../routes/index.ts";
import { readCapabilities } from "../runtimes/capabilities.ts";
import { findableReference } from "../runtimes/image-id.ts";
import { whyKept } from "../runtimes/kept-image.ts";
import { breaks } from "../wire/field-rule.ts";
import { invalid } from "./bind.ts";
import type { CustomHandler } from "./custom.ts";
import { listEvents } from "./event-handler.ts";
import { imageInUse } from "./image-in-use.ts";
import { inputOf } from "./input.ts";
import { logHandlers } from "./log-routes.ts";
import { readPostMortem } from "./post-mortem.ts";
import { pruneImages, prunePods } from "./prune.ts";
import { pullAnswer, requireOwnPull, visiblePull, visiblePulls } from "./pull-answer.ts";
import { sessionHandlers } from "./session-handlers.ts";
import type { StreamHandler } from "./stream.ts";
import { tokenHandlers } from "./token-handlers.ts";
import { usageHandlers } from "./usage-handlers.ts";

export const handlers: { readonly [Id in HandledRouteId]: CustomHandler<AnswerOf<Id>> } = {
  getCapabilities: async (_ctx, { runtime, events }) => ({
    ...(await readCapabilities(runtime)),
    events: await events.source(),
  }),

  getGrants: async ({ caller }, { limits }) => ({ ...grantsAnswer(caller), limits: limits.limitsOf(caller) }),

  ...tokenHandlers,

  ...sessionHandlers,

  /**
   * Removes by id even if a name was given: one runtime reports success for a name and removes nothing. This removes
   * all names of the image, so the answer lists them. On every runtime, refuses an image that a container uses or that
   * the runtime itself needs.
   */
  removeImage: async ({ bound, caller, onCancel }, { runtime }) => {
    const input = inputOf("removeImage", bound);
    const { image: asked } = checkedReference(input.image);
    const image = { image: await findableReference(runtime, asked) };
    const { image: found } = await call(runtime, "ImageService/ImageStatus", { image }, { onCancel });
    if (!found)
      throw new GatewayError("not_found", `Cannot find image "${image.image}": it is not on this node`);
    const kept = await whyKept(runtime, found, { onCancel });
    if (kept) throw new GatewayError("image_pinned", `Cannot remove image "${image.image}": ${kept}`);
    const user = await findContainerUsing(runtime, found, { onCancel });
    if (user) throw imageInUse(image.image, user, caller);
    const { dryRun } = input;
    if (!dryRun) {
      await call(runtime, "ImageService/RemoveImage", { image: { image: found.id } }, { onCancel });
    }
    return {
      id: found.id,
      repoTags: found.repoTags,
      repoDigests: found.repoDigests,
      dryRun,
    };
  },

  getPostMortem: readPostMortem,

  pruneImages: async ({ bound, caller, onCancel }, { runtime }) =>
    pruneImages(runtime, inputOf("pruneImages", bound), { caller, onCancel }),

  prunePods: async ({ bound, onCancel }, { runtime }) =>
    prunePods(runtime, inputOf("prunePods", bound), { onCancel }),

  listPulls: async ({ caller }, gateway) => ({
    pulls: visiblePulls(gateway, caller).map(pullAnswer),
  }),

  getPull: async ({ bound, caller }, gateway) =>
    pullAnswer(visiblePull(gateway, caller, inputOf("getPull", bound).pullId)),

  /** Answers once the pull has ended. One that had ended before stays as it was. */
  cancelPull: async ({ bound, caller }, gateway) => {
    const pull = visiblePull(gateway, caller, inputOf("cancelPull", bound).pullId);
    requireOwnPull(pull, caller);
    gateway.pulls.cancel(pull.id);
    await new Promise<void>((resolve) => {
      pull.whenEnded(resolve);
    });
    return pullAnswer(pull);
  },
};

/** A container's state and each change of it, until it exits. */
const waitContainer: StreamHandler<AnswerOf<"waitContainer">> = {
  async open({ bound, signal }, { runtime, events }) {
    const { containerId, timeout } = inputOf("waitContainer", bound);
    const states = await watchState(runtime, containerId, { timeoutMs: timeout * 1000, signal, events });
    return (async function* () {
      for await (const status of states) yield waitAnswer(status);
    })();
  },
  lineOf: ({ state, exitCode }) => (exitCode === undefined ? state : `${state} ${exitCode}`),
};

export const streamHandlers: { readonly [Id in StreamRouteId]: StreamHandler<AnswerOf<Id>, object> } = {
  listEvents,
  waitContainer,
  ...usageHandlers,
  ...logHandlers,
};

function waitAnswer({
  state,
  exitCode,
  reason,
  message,
  finishedAt,
}: ContainerStatus): AnswerOf<"waitContainer"> {
  if (state !== "CONTAINER_EXITED") return { exited: false, state };
  return { exited: true, state, exitCode, reason, message, finishedAt };
}

/** Holds the path's image to the limits of one in a body. @throws {GatewayError} invalid_request: if it breaks them. */
function checkedReference(image: { readonly image: string }): { readonly image: string } {
  const detail = breaks(requestRules.ImageSpec?.image ?? {}, "image", image);
  if (detail !== undefined) throw invalid([{ parameter: "image", detail }]);
  return image;
}

function grantsAnswer(caller: Caller): Omit<AnswerOf<"getGrants">, "limits"> {
  const layers = layersOf(caller);
  const narrowed = (grant: Grant): { only?: string[]; within?: string[][]; except?: string[] } => {
    const lists = layers.flatMap(({ all, allow }) => (all ? [] : [narrowing(allow, grant) ?? []]));
    const [only, ...within] = distinct(lists.filter(({ length }) => length > 0).reverse());
    const except = [...new Set(layers.flatMap(({ deny }) => narrowing(deny, grant) ?? []))];
    return {
      ...(only === undefined ? {} : { only }),
      ...(within.length === 0 ? {} : { within }),
      ...(except.length === 0 ? {} : { except }),
    };
  };
  // Some words of `host` are not the grant itself, but what they permit is listed.
  const hasHostWords = layers.every(
    ({ all, allow, deny }) => deny.host !== true && (all || allow.host !== undefined),
  );
  const { name, tokenFile, expiresAtMs } = caller;
  return {
    name,
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(expiresAtMs === undefined ? {} : { expires: new Date(expiresAtMs).toISOString() }),
    grants: allGrants
      .filter((grant) => canUse(grant, caller) || (grant === "host" && hasHostWords))
      .map((grant) => ({ grant, ...narrowed(grant) })),
  };
}

const distinct = (lists: readonly string[][]): readonly string[][] => [
  ...new Map(lists.map((list) => [JSON.stringify(list), list])).values(),
];
