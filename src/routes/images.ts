/** Images on this node. `{image}` is a reference or an id, and may contain slashes. */
import { custom, list, unary } from "./define.ts";
import { parametersFor } from "./parameters.ts";

const byName = "a reference or an id names an image; these are for pulls";

export const images = [
  list({
    id: "listImages",
    rpc: "ImageService/ListImages",
    stream: "ImageService/StreamImages",
    http: "GET /v1/images",
    items: "images",
    filters: { image: "filter.image.image" },
    postFilter: "imageNames",
    order: ["id"],
    allow: "read:images",
    summary: "List images",
    omit: {
      "filter.image.imageRef": byName,
      "filter.image.annotations": byName,
      "filter.image.userSpecifiedImage": byName,
      "filter.image.runtimeHandler": byName,
    },
  }),
  unary({
    id: "getImage",
    rpc: "ImageService/ImageStatus",
    http: "GET /v1/images/{image}",
    path: { image: "image.image" },
    query: { verbose: "verbose", runtimeHandler: "image.runtimeHandler" },
    allow: "read:images",
    fieldGrants: { verbose: "verbose" },
    summary: "Show an image",
    success: 200,
    notFoundUnless: "image",
    omit: {
      "image.imageRef": byName,
      "image.annotations": byName,
      "image.userSpecifiedImage": byName,
    },
  }),
  unary({
    id: "pullImage",
    rpc: "ImageService/PullImage",
    http: "POST /v1/images/pull",
    body: "*",
    gatewayParams: parametersFor("pullImage"),
    allow: "pull",
    summary: "Pull an image and wait until it is ready",
    success: 200,
    progress: "pull",
  }),
] as const;

export const imageRemoval = {
  removeImage: custom({
    id: "removeImage",
    http: "DELETE /v1/images/{image}",
    uses: [
      "ImageService/ImageStatus",
      "RuntimeService/Status",
      "RuntimeService/ListContainers",
      "ImageService/RemoveImage",
    ],
    path: { image: "image.image" },
    gatewayParams: parametersFor("removeImage"),
    allow: "image-remove",
    summary: "Remove an image with all its names",
    success: 200,
  }),
  pruneImages: custom({
    id: "pruneImages",
    http: "POST /v1/images/prune",
    uses: [
      "ImageService/ListImages",
      "ImageService/ImageStatus",
      "RuntimeService/Status",
      "RuntimeService/ListContainers",
      "RuntimeService/ContainerStatus",
      "ImageService/RemoveImage",
    ],
    gatewayParams: parametersFor("pruneImages"),
    allow: "image-remove",
    summary: "Remove or list unused images",
    success: 200,
  }),
} as const;

export const pulls = {
  listPulls: custom({
    id: "listPulls",
    http: "GET /v1/pulls",
    uses: [],
    allow: "pull",
    summary: "List pulls in progress and recent ones",
    success: 200,
  }),
  getPull: custom({
    id: "getPull",
    http: "GET /v1/pulls/{pullId}",
    uses: [],
    path: { pullId: "pullId" },
    allow: "pull",
    summary: "Show a pull and its progress",
    success: 200,
  }),
  cancelPull: custom({
    id: "cancelPull",
    http: "DELETE /v1/pulls/{pullId}",
    uses: [],
    path: { pullId: "pullId" },
    allow: "pull",
    summary: "Cancel a pull",
    success: 200,
  }),
} as const;
