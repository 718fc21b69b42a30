/** The runtime as a whole: version, status, configuration and metrics; and the caller's grants. */
import { custom, list, unary } from "./define.ts";

export const runtime = [
  unary({
    id: "getVersion",
    rpc: "RuntimeService/Version",
    http: "GET /v1/version",
    allow: "read:runtime",
    summary: "Show the runtime's name and versions",
    success: 200,
    responseHeader: "version",
    omit: { version: "the version of the client's kubelet API, which no runtime reads" },
  }),
  unary({
    id: "getRuntimeStatus",
    rpc: "RuntimeService/Status",
    http: "GET /v1/runtime/status",
    query: { verbose: "verbose" },
    allow: "read:runtime",
    fieldGrants: { verbose: "verbose" },
    summary: "Show the runtime's conditions, handlers and features",
    success: 200,
  }),
  unary({
    id: "getRuntimeConfig",
    rpc: "RuntimeService/RuntimeConfig",
    http: "GET /v1/runtime/config",
    allow: "read:runtime",
    summary: "Show runtime settings that clients must match, such as the cgroup driver",
    success: 200,
  }),
  unary({
    id: "setNetworkConfig",
    rpc: "RuntimeService/UpdateRuntimeConfig",
    http: "POST /v1/runtime/network-config",
    body: { spread: "runtimeConfig.networkConfig" },
    allow: "host",
    summary: "Set the address range for pods",
    success: 204,
  }),
  unary({
    id: "listMetricDescriptors",
    rpc: "RuntimeService/ListMetricDescriptors",
    http: "GET /v1/metrics/descriptors",
    allow: "read:stats",
    scope: "none",
    summary: "List descriptions of the pod metrics",
    success: 200,
  }),
  list({
    id: "listPodMetrics",
    rpc: "RuntimeService/ListPodSandboxMetrics",
    stream: "RuntimeService/StreamPodSandboxMetrics",
    http: "GET /v1/metrics/pods",
    items: "podMetrics",
    order: ["podSandboxId"],
    volatile: true,
    allow: "read:stats",
    summary: "List the metrics of pods",
  }),
  unary({
    id: "getImageFilesystems",
    rpc: "ImageService/ImageFsInfo",
    http: "GET /v1/image-filesystems",
    allow: "read:images",
    summary: "Show the usage of the file systems for images and containers",
    success: 200,
  }),
] as const;

/** Routes that the gateway answers itself. */
export const gateway = {
  getCapabilities: custom({
    id: "getCapabilities",
    http: "GET /v1/runtime/capabilities",
    uses: [
      "RuntimeService/Version",
      "RuntimeService/Status",
      "RuntimeService/RuntimeConfig",
      "RuntimeService/ListMetricDescriptors",
    ],
    allow: "read:runtime",
    summary: "Show which RPCs the runtime supports, and its quirks",
    success: 200,
  }),
  getGrants: custom({
    id: "getGrants",
    http: "GET /v1/grants",
    uses: [],
    allow: "authenticated",
    summary: "Show what the caller may do",
    success: 200,
  }),
} as const;

/** The tokens that a caller makes of its own. */
export const tokens = {
  listTokens: custom({
    id: "listTokens",
    http: "GET /v1/tokens",
    uses: [],
    allow: "authenticated",
    summary: "List the tokens that the caller made",
    success: 200,
  }),
  createToken: custom({
    id: "createToken",
    http: "POST /v1/tokens",
    uses: [],
    body: true,
    allow: "authenticated",
    summary: "Make a token that can do less than the caller's own",
    success: 201,
  }),
  revokeToken: custom({
    id: "revokeToken",
    http: "DELETE /v1/tokens/{tokenName}",
    uses: [],
    path: { tokenName: "tokenName" },
    allow: "authenticated",
    summary: "Revoke a token that the caller made",
    success: 200,
  }),
  createSignInKey: custom({
    id: "createSignInKey",
    http: "POST /v1/sign-in-keys",
    uses: [],
    allow: "authenticated",
    summary: "Make a key for a link that signs in to the gateway's pages",
    success: 201,
  }),
  signIn: custom({
    id: "signIn",
    http: "POST /v1/sign-in",
    uses: [],
    allow: "authenticated",
    summary: "Trade a key or a token for a token of a page",
    success: 201,
  }),
} as const;
