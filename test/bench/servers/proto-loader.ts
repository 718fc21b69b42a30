import type { Options } from "@grpc/proto-loader";

/** @grpc/proto-loader set up for the JSON that Crest writes: all fields, names for enums, strings for int64. */
export const loaderOptions: Options = { longs: String, enums: String, bytes: String, defaults: true };
