/** The runtime as a whole: version, status, configuration; and the caller's own grants. */
import { custom, unary } from "./define.ts";

export const runtime = [
  unary({
    id: "getVersion",
    rpc: "RuntimeService/Version",
    http: "GET /v1/version",
    allow: "read:runtime",
    summary: "Show the runtime's name and versions",
    success: 200,
    omit: { version: "the version of the client's kubelet API, which no runtime reads" },
  }),
  unary({
    id: "getRuntimeStatus",
    rpc: "RuntimeService/Status",
    http: "GET /v1/runtime/status",
    query: { verbose: "verbose" },
    allow: "read:runtime",
    needs: { verbose: "verbose" },
    summary: "Show the runtime's conditions, handlers and features",
    success: 200,
  }),
  unary({
    id: "getRuntimeConfig",
    rpc: "RuntimeService/RuntimeConfig",
    http: "GET /v1/runtime/config",
    allow: "read:runtime",
    summary: "Show what the runtime decides for its clients, such as the cgroup driver",
    success: 200,
  }),
] as const;

/** Routes that the gateway answers itself. */
export const gateway = {
  getGrants: custom({
    id: "getGrants",
    http: "GET /v1/grants",
    uses: [],
    allow: "authenticated",
    summary: "Show what the caller may do",
    success: 200,
  }),
} as const;
