/** Explains how to pull a missing image, as a command to paste. */
import type { FastifyRequest } from "fastify";
import { type Caller, canUse } from "../access/authorize.ts";
import { normalReference } from "../access/reference.ts";
import { GatewayError } from "../errors.ts";
import { entryOf, type RouteId } from "../routes/index.ts";
import { socketPathOf } from "../server/listen.ts";
import { quote } from "../shell.ts";
import type { JsonObject } from "./bind.ts";

/** The images that a request names, by route id. For requests that fail because one is missing. */
const imagesOf: { readonly [Id in RouteId]?: (message: JsonObject) => readonly unknown[] } = {
  getImage: ({ image }) => [image],
  createContainer: ({ config }) => {
    const { image, mounts } = (config ?? {}) as { readonly image?: unknown; readonly mounts?: unknown };
    const mounted = Array.isArray(mounts)
      ? mounts.map((mount: { image?: unknown } | null) => mount?.image)
      : [];
    return [image, ...mounted];
  },
};

/** An image cannot be pulled by id. No name is longer than this. */
const isPullable = (image: string): boolean =>
  image.length <= 512 && !/^(sha256:)?[0-9a-f]{12,64}$/.test(image);

/** Adds the pull command to an error about a missing image; returns any other error unchanged. */
export function withPullHint(
  error: unknown,
  routeId: string,
  { message, caller, request }: { message: JsonObject; caller: Caller; request: FastifyRequest },
): unknown {
  if (!(error instanceof GatewayError)) return error;
  const isMissing =
    error.code === "image_not_found" || (routeId === "getImage" && error.code === "not_found");
  const image = isMissing
    ? missingImage(entryOf(imagesOf, routeId)?.(message) ?? [], error.message)
    : undefined;
  if (image === undefined || !isPullable(image)) return error;
  const flag = canUse("pull", caller, normalReference(image)) ? "" : " (the gateway needs --allow-pull)";
  return new GatewayError(
    error.code,
    `Image ${JSON.stringify(image)} is not on this node. Pull it first${flag}: ${pullCommand(request, image)}`,
    { cause: error, ...(error.grpcCode === undefined ? {} : { grpcCode: error.grpcCode }) },
  );
}

/** The image that the runtime's message names; otherwise the request's first. */
function missingImage(images: readonly unknown[], text: string): string | undefined {
  const names = images
    .map((image) => (typeof image === "object" && image !== null ? (image as JsonObject).image : image))
    .filter((name): name is string => typeof name === "string" && name !== "");
  return names.find((name) => text.includes(name)) ?? names[0];
}

/** Uses the address that the caller used. */
function pullCommand(request: FastifyRequest, image: string): string {
  const path = socketPathOf(request.server.server);
  const socket = path === undefined ? "" : ` --unix-socket ${quote(path)}`;
  const body = quote(`{"image": ${JSON.stringify(image)}}`);
  const url = `${request.protocol}://${request.host}/v1/images/pull`;
  return `curl${socket} -H "Authorization: Bearer $TOKEN" --json ${body} ${url}`;
}
